#include "services/executor-runtime/program.h"

#include <cstdio>
#include <map>
#include <utility>

#include "services/executor-runtime/process_executor.h"
#include "services/executor-runtime/program_options.h"
#include "services/executor-runtime/run_until_signal.h"
#include "services/platform/access/join_string.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

constexpr absl::Duration kJoinTimeout = absl::Seconds(20);
constexpr int kExitCannotStart = 1;
constexpr int kExitWrongUsage = 2;

absl::Status RegisterCommands(const std::map<std::string, ProcessOptions>& types,
                              Executor& executor) {
  for (const auto& [type, process] : types) {
    auto handler = MakeProcessHandler(process);
    absl::Status registered = handler.status();
    if (handler.ok()) registered = executor.Handle(type, *std::move(handler));
    KANTOKU_RETURN_IF_ERROR(platform::Annotate(registered, "type " + type));
  }
  return absl::OkStatus();
}

}  // namespace

int RunExecutorProgram(std::string_view name, std::vector<std::string> arguments) {
  ParsedProgram parsed = ParseProgram(name, std::move(arguments));
  if (!parsed.run) {
    std::fputs(parsed.print.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  platform::SetUpLog(parsed.options.log);
  if (!parsed.options.join.empty()) {
    auto access =
        platform::AcceptJoinString(parsed.options.join, platform::DefaultJoinedDir(), kJoinTimeout);
    if (!access.ok()) {
      std::fprintf(stderr, "%s: --join: %s\n", std::string(name).c_str(),
                   std::string(access.status().message()).c_str());
      return absl::IsInvalidArgument(access.status()) ? kExitWrongUsage : kExitCannotStart;
    }
    parsed.options.executor.access_file = *std::move(access);
  }
  return RunUntilSignal(name, parsed.options.executor, [&](Executor& executor) {
    return RegisterCommands(parsed.options.types, executor);
  });
}

}  // namespace kantoku::executor
