#ifndef KANTOKU_EXECUTOR_H_
#define KANTOKU_EXECUTOR_H_

// All that an executor in C++ needs; link kantoku::executor.
//
//   using kantoku::executor::Context, kantoku::executor::Executor, kantoku::executor::Result;
//
//   absl::StatusOr<Result> Upper(Context& task) { return Result{.data = …(task.payload())}; }
//
//   int main() {
//     return kantoku::executor::RunUntilSignal("upper-executor", {}, [](Executor& executor) {
//       return executor.Handle("text.upper", Upper);
//     });
//   }
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/handler.h"
#include "services/executor-runtime/run_until_signal.h"

#endif  // KANTOKU_EXECUTOR_H_
