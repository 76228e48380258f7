#include "services/executor-runtime/program.h"

#include <cstdio>
#include <map>
#include <optional>
#include <utility>

#include "services/executor-runtime/process_executor.h"
#include "services/executor-runtime/program_options.h"
#include "services/executor-runtime/run_until_signal.h"
#include "services/executor-runtime/server_file.h"
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

// So that a command may spawn with its task token, wherever the server is. Where nothing is said of
// that, a command finds what the executor does.
absl::StatusOr<std::optional<ServerFile>> TellOfServer(ProgramOptions& options) {
  const ExecutorOptions& executor = options.executor;
  if (executor.access_file.empty() && executor.ca_file.empty()) return std::nullopt;
  KANTOKU_ASSIGN_OR_RETURN(ServerFile file, ServerFile::Make(executor));
  for (auto& [type, process] : options.types) {
    if (process.task_token) process.environment.emplace_back("KANTOKU_TASK_ACCESS", file.path());
  }
  return file;
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
  const auto server = TellOfServer(parsed.options);
  if (!server.ok()) {
    std::fprintf(stderr, "%s: %s\n", std::string(name).c_str(),
                 std::string(server.status().message()).c_str());
    return kExitCannotStart;
  }
  return RunUntilSignal(name, parsed.options.executor, [&](Executor& executor) {
    return RegisterCommands(parsed.options.types, executor);
  });
}

}  // namespace kantoku::executor
