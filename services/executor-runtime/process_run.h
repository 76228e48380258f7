#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_RUN_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_RUN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/executor-runtime/argument_files.h"
#include "services/executor-runtime/checkpoint_file.h"
#include "services/executor-runtime/child_process.h"
#include "services/executor-runtime/process_executor.h"
#include "services/platform/mutex.h"

namespace kantoku::executor {

// One run of a command for one task.
//
// Confined to the handler's thread, but for Wake and Hold.
class ProcessRun {
 public:
  // Both outlive it.
  ProcessRun(const ProcessOptions& options, Context& context)
      : options_(options), context_(context) {}

  absl::StatusOr<Result> Run(const std::string& program);

 private:
  absl::Status Start(const std::string& program);
  // Moves bytes until the program has ended.
  absl::Status Attend();
  // Asks, then forces the program to end when it is time; forces it at once when its task is, or is
  // about to be, somebody else's. Returns when to look again.
  absl::Duration StopWhenDue(absl::Duration now);
  void AskToEnd();
  void Kill();
  void Wake();
  // Stops the program, or lets it go on. Called by the runtime.
  void Hold(bool hold);
  // When the program's own time is over; it stands still while the program is held.
  absl::Duration LimitAt();
  void ReadOutput();
  // Takes what the command wrote, as far as it can be taken now.
  void TakeOutput(std::string_view bytes);
  // Yields the lines that have ended. False while one of them finds no room.
  bool YieldLines(absl::Duration patience);
  void FinishOutput();
  void RefuseOutput();
  void ReadErrors();
  // Passes on what the command left for the next dispatch.
  void TakeCheckpoint();
  void LogLine(std::string_view line);
  absl::StatusOr<Result> Conclude(const ChildProcess::End& end);

  const ProcessOptions& options_;
  Context& context_;
  std::optional<ArgumentFiles> arguments_;
  std::unique_ptr<ChildProcess> process_;
  File output_;
  File errors_;
  std::unique_ptr<CheckpointFile> checkpoint_;  // Null: it leaves none.
  std::optional<std::string> left_;             // A checkpoint that waits for the lines before it.
  File wake_event_;                             // It is to stop, or was let go.
  std::string result_;                          // Or what was not yielded yet.
  bool full_ = false;                           // The next line has found no room.
  bool dropped_ = false;    // Some of what it wrote became no item, as it was to stop.
  absl::Status refusal_;    // Of a line that can be no item.
  std::string error_line_;  // Not ended yet.
  std::string error_tail_;
  int logged_lines_ = 0;
  bool too_large_ = false;
  bool over_time_ = false;
  bool asked_ = false;
  bool killed_ = false;
  platform::Mutex mu_;
  absl::Duration limit_at_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  std::optional<absl::Duration> held_since_ ABSL_GUARDED_BY(mu_);
  absl::Duration kill_at_ = absl::InfiniteDuration();
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PROCESS_RUN_H_
