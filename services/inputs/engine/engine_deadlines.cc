#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"

// What becomes of a task that has not begun, or not ended, by its time.
namespace kantoku::inputs {

void Engine::DeadlinePassed(const DeadlineBook::Passed& passed, Effects& effects) {
  const TaskIndex index = tasks_.FindKey(passed.task);
  const Task& task = tasks_.at(index);
  if (task.state == TaskState::kSettling) return;
  if (passed.kind == DeadlineBook::Kind::kEnd) {
    if (KANTOKU_PLANTED("total time not heeded")) return;
    const std::string total = absl::FormatDuration(passed.time - task.id.time());
    return FailForGood(index, "TOTAL_TIMEOUT",
                       absl::StrCat("had not ended ", total, " after its spawn"), effects);
  }
  if (KANTOKU_PLANTED("what has expired waits on")) return;
  const bool goes_on = task.session != 0 && (task.begun || task.unheard);
  if (goes_on && !KANTOKU_PLANTED("what has begun expires")) return;
  const std::string time = absl::FormatTime(passed.time, absl::UTCTimeZone());
  FailForGood(index, "EXPIRED", absl::StrCat("had not begun by ", time), effects);
}

// Whatever attempts are left, and whoever holds it.
void Engine::FailForGood(TaskIndex index, std::string_view reason, std::string message,
                         Effects& effects) {
  Task& task = tasks_.at(index);
  Failure failure{std::string(reason), std::move(message)};
  if (task.session != 0) {
    Tell(task, HandlerAction::kRevoke, reason, effects);
    if (task.begun) CountAttempt(task, failure);
    Release(index, effects);
  } else {
    Dequeue(index, TaskState::kSettling);
  }
  if (task.cancel_requested) {
    Settle(index, TaskState::kCancelled, StoppedBecause(task, failure.message), effects);
  } else {
    Settle(index, TaskState::kFailed, std::move(failure), effects);
  }
}

}  // namespace kantoku::inputs
