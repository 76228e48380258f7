#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// What executors report of the dispatches that they hold.
namespace kantoku::inputs {

using platform::Now;

absl::Status Engine::Started(ConnectionId connection, const TaskId& id, uint32_t dispatch,
                             const Now& now, Effects& effects) {
  Advance(now);
  KANTOKU_ASSIGN_OR_RETURN(const TaskIndex index, FindHeld(connection, id, dispatch));
  Task& task = tasks_.at(index);
  if (task.once) {
    // A handler that waits for its confirmation is not to begin any more.
    if (task.cancel_requested) return absl::OkStatus();
    effects.starts.push_back({connection, id, dispatch});
  }
  Begin(index, now, effects);
  return absl::OkStatus();
}

void Engine::Begin(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (task.begun) return;
  task.begun = true;
  task.unheard = false;
  ++sessions_.at(task.session).begun;
  Say(EventType::kTaskStarted, task, effects);
  if (task.once && !task.once_begun) {
    task.once_begun = true;
    if (!KANTOKU_PLANTED("start of ONCE not recorded")) WriteState(task, std::nullopt, effects);
  }
  if (!task.cancel_requested && task.state != TaskState::kResuming) {
    task.state = task.pause_requested ? TaskState::kPausing : TaskState::kRunning;
  }
  NoteWait(task);
  if (task.cancel_requested) return;
  SetAttemptAlarm(index, absl::Milliseconds(task.timeout_ms), now);
}

void Engine::Finished(const TaskId& id, uint32_t dispatch, const Now& now, Effects& effects) {
  Advance(now);
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask) return;
  const Task& task = tasks_.at(index);
  if (task.session != 0 && task.dispatch != dispatch) {
    Tell(task, HandlerAction::kRevoke, "FINISHED", effects);
  }
  Finish(index, TaskState::kSucceeded, now, effects);
}

absl::Status Engine::Nack(ConnectionId connection, const NackCommand& command, const Now& now,
                          Effects& effects) {
  Advance(now);
  KANTOKU_ASSIGN_OR_RETURN(const TaskIndex index,
                           FindHeld(connection, command.task, command.dispatch));
  const Task& task = tasks_.at(index);
  Release(index, effects);
  if (task.cancel_requested) {
    Settle(index, TaskState::kCancelled, StoppedBecause(task, command.failure.message), effects);
    return absl::OkStatus();
  }
  switch (command.kind) {
    case NackKind::kFailed:
      AttemptFailed(index, command.failure, now, effects);
      break;
    case NackKind::kFailedFinally:
      CountAttempt(tasks_.at(index), command.failure);
      Settle(index, TaskState::kFailed, command.failure, effects);
      break;
    case NackKind::kReturned:
    case NackKind::kCancelled:  // Nobody asked for it: as if it had never begun.
      Return(index, "RETURNED", now, effects);
      break;
  }
  return absl::OkStatus();
}

absl::Status Engine::Progress(ConnectionId connection, const TaskId& id, uint32_t dispatch,
                              double fraction, std::string_view message, const Now& now,
                              Effects& effects) {
  if (!std::isfinite(fraction) || std::signbit(fraction) || fraction > 1) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_PROGRESS",
                           absl::StrCat("fraction: ", fraction, " is not from 0 to 1"));
  }
  KANTOKU_ASSIGN_OR_RETURN(const TaskIndex index, FindHeld(connection, id, dispatch));
  Task& task = tasks_.at(index);
  task.has_progress = true;
  LatestProgress& progress = progress_[task.key()];
  if (progress.due.has_value()) ++progress.skipped;
  progress.fraction = static_cast<float>(fraction);
  progress.message = message;
  if (now.steady >= progress.quiet_until) {
    SayProgress(task, progress, now, effects);
  } else if (!progress.due.has_value()) {
    progress.due = now.steady + options_.progress_interval;
    late_progress_.emplace_back(*progress.due, task.key());
  }
  return absl::OkStatus();
}

void Engine::SayProgress(const Task& task, LatestProgress& progress, const Now& now,
                         Effects& effects) {
  EventMessage& event = Say(EventType::kTaskProgress, task, effects);
  event.progress = progress.fraction;
  event.failure.message = std::exchange(progress.message, {});
  event.skipped = std::exchange(progress.skipped, 0);
  progress.due.reset();
  progress.quiet_until = now.steady + options_.progress_interval;
}

void Engine::TellLateProgress(const Now& now, Effects& effects) {
  while (!late_progress_.empty() && late_progress_.front().first <= now.steady) {
    const auto [due, key] = late_progress_.front();
    late_progress_.pop_front();
    // The dispatch may be over, and another one have begun.
    const auto progress = progress_.find(key);
    if (progress == progress_.end() || progress->second.due != due) continue;
    SayProgress(tasks_.at(tasks_.FindKey(key)), progress->second, now, effects);
  }
}

}  // namespace kantoku::inputs
