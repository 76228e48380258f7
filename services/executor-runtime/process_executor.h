#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_EXECUTOR_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_EXECUTOR_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/executor-runtime/handler.h"

namespace kantoku::executor {

// A command that implements a type.
struct ProcessOptions {
  std::vector<std::string> command;  // argv; the first is a path, or a name to be found in PATH.
  std::string content_type = "application/octet-stream";  // Of the result.
  std::vector<int> final_exit_codes;  // Ends that another attempt would not mend; not 0.
  std::string directory;              // Where it runs; empty: here.
  std::vector<std::pair<std::string, std::string>> environment;  // Overrides our own.

  absl::Duration time_limit = absl::InfiniteDuration();  // Beside the task's own timeout.
  uint64_t memory_limit = 0;                             // Bytes of address space; 0: none.
  uint64_t max_output = uint64_t{4}
                        << 20;   // Bytes on standard output, or of a line that is an item.
  bool lines_are_items = false;  // Each line of standard output is yielded; the result is empty.
  bool checkpoint_file = false;  // KANTOKU_CHECKPOINT names a file; see below.
  bool task_token = true;        // KANTOKU_TASK_TOKEN is Context::task_token(), if any.
  // Between asking the group to end (SIGTERM) and killing it, after a cancellation, a timeout or at
  // a drain. When the task is taken away, or Inputs is not heard, the group is killed at once.
  absl::Duration kill_after = absl::Seconds(2);
};

// A handler that runs the command once for each task: the payload is its standard input, its
// standard output is the result, its standard error goes to the log line by line. With
// `lines_are_items` each line of its standard output is an item, without the end of the line, and
// has `content_type`; a command that is faster than Outputs waits in its writing. It is told of the
// task by KANTOKU_TASK_ID, KANTOKU_TASK_TYPE, KANTOKU_DISPATCH and KANTOKU_ATTEMPT; its task token
// is that of the start, and so good for most of an hour. Where the task has arguments,
// KANTOKU_ARGUMENTS is a directory with one file for each; see argument_files.h.
//
// With `checkpoint_file`, KANTOKU_CHECKPOINT is the path of a file with the latest checkpoint,
// which is absent when there is none. A file that the command renames to that path is the next one,
// as with Context::Checkpoint; one that is written in place is not taken, which the log says.
//
// It succeeds by exiting with 0. Failures: EXIT_STATUS (final for `final_exit_codes`; the message
// ends with the last lines of standard error), KILLED_BY_SIGNAL, TIME_LIMIT, OUTPUT_TOO_LARGE
// (final), CANNOT_RUN. When the handler is to stop, the command is stopped. Whatever else the
// command started in its process group ends with it.
//
// NOT_FOUND when there is no such program, INVALID_ARGUMENT names an option that makes no sense.
absl::StatusOr<Handler> MakeProcessHandler(ProcessOptions options);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_EXECUTOR_H_
