#include "services/executor-runtime/program.h"

#include <cstdio>
#include <map>
#include <utility>

#include "services/executor-runtime/process_executor.h"
#include "services/executor-runtime/program_options.h"
#include "services/executor-runtime/run_until_signal.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

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
  const ParsedProgram parsed = ParseProgram(name, std::move(arguments));
  if (!parsed.run) {
    std::fputs(parsed.print.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  platform::SetUpLog(parsed.options.log);
  return RunUntilSignal(name, parsed.options.executor, [&](Executor& executor) {
    return RegisterCommands(parsed.options.types, executor);
  });
}

}  // namespace kantoku::executor
