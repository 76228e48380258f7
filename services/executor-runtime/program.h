#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/executor-runtime/executor.h"

namespace kantoku::executor {

// The program kantoku-executor: one command per type, as `arguments` (without the program's name)
// and the configuration say; `--help` tells which. Runs until SIGTERM or SIGINT drains it; a second
// signal stops it at once.
//
// Returns the code to exit with: 0 after a drain that left nothing undone, 1 when it could not
// start or Inputs will not have it, 2 when the arguments or the configuration are wrong. The last
// two write one line to standard error. To be called before the process has threads.
int RunExecutorProgram(std::string_view name, std::vector<std::string> arguments);

// The part of it that a program with handlers of its own needs: makes the executor, lets
// `register_handlers` give it handlers, and runs it with the same signals and exit codes.
int RunUntilSignal(std::string_view name, const ExecutorOptions& options,
                   const std::function<absl::Status(Executor&)>& register_handlers);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_
