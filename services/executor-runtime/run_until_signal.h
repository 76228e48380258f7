#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_RUN_UNTIL_SIGNAL_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_RUN_UNTIL_SIGNAL_H_

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "services/executor-runtime/executor.h"

namespace kantoku::executor {

// A program's whole main: makes the executor, lets `register_handlers` give it handlers, and runs
// it until SIGTERM or SIGINT drains it; a second signal stops it at once.
//
//   return RunUntilSignal("upper-executor", options,
//                         [](Executor& executor) { return executor.Handle("text.upper", Upper); });
//
// Returns the code to exit with: 0 after a drain that left nothing undone, 1 when it could not
// start or Inputs will not have it, 2 when an option is wrong. The last two write one line, which
// begins with `name`, to standard error. To be called before the process has threads.
int RunUntilSignal(std::string_view name, const ExecutorOptions& options,
                   const std::function<absl::Status(Executor&)>& register_handlers);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_RUN_UNTIL_SIGNAL_H_
