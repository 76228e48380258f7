#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// What users ask of living tasks. It goes in two phases: a request is recorded and told to whoever
// holds the task; the state that it asks for is reached when the executor confirms it, or, where
// somebody must decide, when its time is over. A task that nobody holds is there at once.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

absl::StatusOr<TaskState> Engine::Control(const ControlCommand& command, const Now& now,
                                          Effects& effects) {
  Advance(now);
  if (command.tree) return ControlTree(command, now, effects);
  const TaskIndex index = tasks_.Find(command.task);
  if (index == kNoTask) return Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no such task");
  if (tasks_.at(index).has_kin) HearTree(index, now, effects);  // Which came before.
  return Steer(index, command, now, effects);
}

absl::StatusOr<TaskState> Engine::Steer(TaskIndex index, const ControlCommand& command,
                                        const Now& now, Effects& effects) {
  const Task& task = tasks_.at(index);
  if (!Stops(command.verb) && (task.state == TaskState::kSettling || task.cancel_requested)) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "TASK_STOPPING",
        absl::StrCat("task ", task.id.ToString(), " is being stopped: only its end can follow"));
  }
  switch (command.verb) {
    case ControlVerb::kCancel:
    case ControlVerb::kInterrupt:
      Stop(index, command, now, effects);
      break;
    case ControlVerb::kPause:
      Pause(index, now, effects);
      break;
    case ControlVerb::kResume:
      Unpause(index, now, effects);
      break;
    case ControlVerb::kStep:
      KANTOKU_RETURN_IF_ERROR(Step(index, now, effects));
      break;
  }
  return task.state;
}

// ---- To stop ----

void Engine::Stop(TaskIndex index, const ControlCommand& command, const Now& now,
                  Effects& effects) {
  Task& task = tasks_.at(index);
  const bool interrupt = command.verb == ControlVerb::kInterrupt;
  const bool was_stopping = task.cancel_requested;
  const bool known = interrupt ? task.interrupt_requested : task.cancel_requested;
  if (task.state == TaskState::kSettling || (known && !interrupt)) return;
  task.cancel_requested = true;
  task.interrupt_requested = interrupt;
  if (!known) {
    Say(interrupt ? EventType::kTaskInterrupting : EventType::kTaskCancelling, task, effects);
  }
  if (task.session == 0) {
    Dequeue(index, TaskState::kSettling);
    Settle(index, TaskState::kCancelled, StoppedBecause(task, ""), effects);
    return;
  }
  const absl::Duration time =
      interrupt ? command.escalation.value_or(options_.interrupt_timeout) : options_.cancel_timeout;
  absl::Duration by = now.steady + time;
  if (was_stopping && task.wake_position != 0) {  // Nothing gives it more time than it had.
    const absl::Duration before = absl::Nanoseconds(steady_alarms_.TimeOf(index));
    if (known && by >= before) return;
    by = std::min(by, before);
  }
  task.state = interrupt ? TaskState::kInterrupting : TaskState::kCancelling;
  NoteWait(task);
  task.wake = absl::ToUnixNanos(now.wall + (by - now.steady));
  WriteState(task, std::nullopt, effects);
  if (!KANTOKU_PLANTED("who does not stop is not overruled")) SetAlarm(index, by);
  if (!known) Retell(index, effects);
}

Failure Engine::StoppedBecause(const Task& task, std::string_view message) {
  return {task.interrupt_requested ? "INTERRUPTED" : "CANCELLED", std::string(message)};
}

// ---- To pause ----

void Engine::Pause(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (task.paused()) return;
  task.pause_requested = true;
  task.stepping = false;
  if (task.session != 0) {
    task.state = TaskState::kPausing;
    NoteWait(task);
    WriteState(task, std::nullopt, effects);
    Say(EventType::kTaskPausing, task, effects);
    TellNext(index, HandlerAction::kPause, effects);
    return;
  }
  WriteState(task, BackoffEnd(index, now), effects);
  // Whatever time it waits for goes on.
  if (task.wake_position != 0) {
    task.state = TaskState::kPaused;
    NoteWait(task);
  } else {
    Dequeue(index, TaskState::kPaused);
  }
  Say(EventType::kTaskPaused, task, effects);
}

void Engine::Unpause(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (!task.pause_requested) return;
  task.pause_requested = false;
  task.stepping = false;
  if (task.session == 0) {
    WriteState(task, BackoffEnd(index, now), effects);
    Say(EventType::kTaskResumed, task, effects);
    if (task.wake_position != 0) {
      task.state = TaskState::kScheduled;
      NoteWait(task);
    } else if (task.state == TaskState::kPaused) {
      Enqueue(index, now);
    }
    return;
  }
  WriteState(task, std::nullopt, effects);
  task.state = TaskState::kResuming;
  NoteWait(task);
  Say(EventType::kTaskResuming, task, effects);
  SetHandlerAlarm(index, now);
  TellNext(index, HandlerAction::kResume, effects);
}

absl::Status Engine::Step(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (!task.pause_requested) {
    return Error(absl::StatusCode::kFailedPrecondition, "NOT_PAUSED",
                 absl::StrCat("task ", task.id.ToString(), " is not paused"));
  }
  if (task.session == 0) {
    if (task.stepping) return absl::OkStatus();
    task.stepping = true;
    WriteState(task, BackoffEnd(index, now), effects);
    if (task.wake_position != 0) {
      task.state = TaskState::kScheduled;
      NoteWait(task);
    } else {
      Enqueue(index, now);
    }
  } else if (task.state == TaskState::kPaused) {
    task.state = TaskState::kPausing;
    SetHandlerAlarm(index, now);
    TellNext(index, HandlerAction::kStep, effects);
  }
  return absl::OkStatus();
}

std::optional<absl::Time> Engine::BackoffEnd(TaskIndex index, const Now& now) const {
  const Task& task = tasks_.at(index);
  if (!task.backing_off || task.wake_position == 0) return std::nullopt;
  return now.wall + (absl::Nanoseconds(steady_alarms_.TimeOf(index)) - now.steady);
}

// What is left of the handler's time, or all of it; while it has not begun, of the time to begin.
void Engine::SetHandlerAlarm(TaskIndex index, const Now& now) {
  if (tasks_.at(index).wake_position != 0) return;  // It goes on.
  const Task& task = tasks_.at(index);
  std::optional<absl::Duration> left;
  if (task.steered) left = std::exchange(steerings_.at(task.key()).left, std::nullopt);
  if (task.begun) {
    SetAttemptAlarm(index, left.value_or(absl::Milliseconds(task.timeout_ms)), now);
  } else {
    SetAlarm(index, now.steady + left.value_or(options_.start_timeout));
  }
}

void Engine::SetAttemptAlarm(TaskIndex index, absl::Duration left, const Now& now) {
  if (tasks_.at(index).timeout_ms == kNoTimeout) return ClearAlarm(index);
  SetAlarm(index, now.steady + left);
}

void Engine::TellNext(TaskIndex index, HandlerAction action, Effects& effects) {
  Task& task = tasks_.at(index);
  task.steered = true;
  ++steerings_[task.key()].number;
  Tell(task, action, "", effects);
}

absl::Status Engine::HandlerStatus(ConnectionId connection, const HandlerStatusCommand& command,
                                   const Now& now, Effects& effects) {
  Advance(now);
  KANTOKU_ASSIGN_OR_RETURN(const TaskIndex index,
                           FindHeld(connection, command.task, command.dispatch));
  Task& task = tasks_.at(index);
  const uint32_t told = task.steered ? steerings_.at(task.key()).number : 0;
  if (command.number != told) return absl::OkStatus();  // It has been told something else since.
  const bool expected = task.state == TaskState::kPausing || task.stepping;
  if (command.paused && expected && !task.cancel_requested) {
    Begin(index, now, effects);
    OnPaused(index, now, effects);
  } else if (command.paused && !task.pause_requested && !task.cancel_requested) {
    // It heard of a pause that nobody here knows of any more.
    Begin(index, now, effects);
    task.state = TaskState::kResuming;
    NoteWait(task);
    TellNext(index, HandlerAction::kResume, effects);
  } else if (!command.paused && task.state == TaskState::kResuming) {
    task.state = task.begun ? TaskState::kRunning : TaskState::kLeased;
    NoteWait(task);
    Say(EventType::kTaskResumed, task, effects);
  }
  return absl::OkStatus();
}

void Engine::OnPaused(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  task.steered = true;
  Steering& steering = steerings_[task.key()];
  if (task.wake_position != 0) {
    steering.left = absl::Nanoseconds(steady_alarms_.TimeOf(index)) - now.steady;
  }
  ClearAlarm(index);
  task.state = TaskState::kPaused;
  Say(EventType::kTaskPaused, task, effects);
  if (!task.stepping) return;
  task.stepping = false;
  WriteState(task, std::nullopt, effects);
}

// ---- To say it ----

std::optional<HandlerMessage> Engine::StandingControl(const TaskId& id) const {
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask || tasks_.at(index).session == 0) return std::nullopt;
  const Task& task = tasks_.at(index);
  HandlerMessage message{.connection = sessions_.at(task.session).connection,
                         .task = id,
                         .dispatch = task.dispatch,
                         .action = HandlerAction::kCancel,
                         .reason = "CANCELLED",
                         .number = task.steered ? steerings_.at(task.key()).number : 0};
  switch (task.state) {
    case TaskState::kCancelling:
      return message;
    case TaskState::kInterrupting:
      message.action = HandlerAction::kInterrupt;
      message.reason = "INTERRUPTED";
      return message;
    case TaskState::kPausing:
    case TaskState::kPaused:
      message.action = HandlerAction::kPause;
      message.reason = {};
      return message;
    case TaskState::kResuming:
      message.action = HandlerAction::kResume;
      message.reason = {};
      return message;
    default:
      return std::nullopt;
  }
}

void Engine::Retell(TaskIndex index, Effects& effects) const {
  const auto message = StandingControl(tasks_.at(index).id);
  if (message.has_value() && message->connection != 0) effects.controls.push_back(*message);
}

}  // namespace kantoku::inputs
