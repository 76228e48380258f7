#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_

#include <string>
#include <string_view>
#include <vector>

#include "services/executor-runtime/run_until_signal.h"

namespace kantoku::executor {

// The program kantoku-executor: one command per type, as `arguments` (without the program's name)
// and the configuration say; `--help` tells which. Runs until SIGTERM or SIGINT drains it; a second
// signal stops it at once.
//
// Returns the code to exit with: 0 after a drain that left nothing undone, 1 when it could not
// start or Inputs will not have it, 2 when the arguments or the configuration are wrong. The last
// two write one line to standard error. To be called before the process has threads.
int RunExecutorProgram(std::string_view name, std::vector<std::string> arguments);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROGRAM_H_
