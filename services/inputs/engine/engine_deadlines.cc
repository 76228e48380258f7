#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"

// Times by which a task is to have begun, or to have ended. By the wall clock, as they outlast the
// steady one.
namespace kantoku::inputs {

void Engine::SetDeadlines(TaskIndex index, const TaskSpec& spec) {
  Task& task = tasks_.at(index);
  Deadlines deadlines;
  if (spec.expire_at.has_value()) deadlines.begin_by = absl::ToUnixNanos(*spec.expire_at);
  if (spec.total_timeout_ms > 0) {
    deadlines.end_by =
        absl::ToUnixNanos(task.id.time() + absl::Milliseconds(spec.total_timeout_ms));
  }
  for (const int64_t time : {deadlines.begin_by, deadlines.end_by}) {
    if (time == INT64_MAX) continue;
    task.has_deadline = true;
    deadlines_ahead_.emplace(time, task.key());
  }
  if (task.has_deadline) deadlines_[task.key()] = deadlines;
}

void Engine::DropDeadlines(TaskKey task) {
  const auto found = deadlines_.find(task);
  deadlines_ahead_.erase({found->second.begin_by, task});
  deadlines_ahead_.erase({found->second.end_by, task});
  deadlines_.erase(found);
}

void Engine::DeadlinePassed(TaskIndex index, int64_t time, Effects& effects) {
  const Task& task = tasks_.at(index);
  if (task.state == TaskState::kSettling) return;
  Deadlines& deadlines = deadlines_.at(task.key());
  if (time == deadlines.end_by) {
    const absl::Duration total = absl::FromUnixNanos(time) - task.id.time();
    return FailForGood(index,
                       {"TOTAL_TIMEOUT", absl::StrCat("had not ended ", absl::FormatDuration(total),
                                                      " after its spawn")},
                       effects);
  }
  deadlines.expired = true;
  if (task.session != 0 && (task.begun || task.unheard)) return;  // It goes on to its end.
  FailForGood(
      index,
      {"EXPIRED", absl::StrCat("had not begun by ",
                               absl::FormatTime(absl::FromUnixNanos(time), absl::UTCTimeZone()))},
      effects);
}

// Whatever attempts are left, and whoever holds it.
void Engine::FailForGood(TaskIndex index, Failure failure, Effects& effects) {
  Task& task = tasks_.at(index);
  if (task.session != 0) {
    Tell(task, HandlerAction::kRevoke, failure.reason, effects);
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
