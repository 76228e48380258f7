#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/inputs/engine/splitmix.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// From dispatch to end: what happens to one task. What executors report of it is in
// engine_reports.cc.
namespace kantoku::inputs {

using platform::Now;

namespace {

// A wall clock may be set. Lease tokens end by it, so they are renewed when it has moved by more
// than this, and it is looked at again after this long at the latest.
constexpr absl::Duration kWallRecheck = absl::Minutes(1);

// Of a task that has run, and does not begin again.
std::string Expired(const Failure& last) {
  std::string message =
      absl::StrCat("it has expired and does not begin again; last: ", last.reason);
  if (!last.message.empty()) absl::StrAppend(&message, ": ", last.message);
  return message;
}

}  // namespace

// ---- Dispatch ----

void Engine::DispatchReady(const Now& now, Effects& effects) {
  if (draining_) return;
  DispatchGroupRecord record{.at = now.wall};
  uint32_t group = 0;
  size_t refusals = options_.tree_sweep;
  const auto accepts = [&](TaskIndex task) { return Accepts(task, now, effects); };
  const auto weight_of = [this](FlowNumber flow) { return admission_.WeightOf(flow); };
  admission_.Begin(now.steady);
  for (;;) {
    const auto match = matcher_.Next({accepts, weight_of}, refusals);
    if (!match.has_value()) {
      if (refusals > 0 && admission_.Rest()) continue;
      break;
    }
    if (record.entries.empty()) group = OpenGroup();
    Task& task = tasks_.at(match->task);
    Session& session = sessions_.at(match->session);
    task.state = TaskState::kLeased;
    ++task.dispatch;
    if (task.pure && task.dispatch == 1) NoteNoResultYet(task, now);
    task.group = group;
    ++groups_[group].open;
    Hold(session, match->task);
    NoteWait(task);
    SetAlarm(match->task, now.steady + options_.start_timeout);
    if (KANTOKU_PLANTED("more than the credit") && task.dispatch == 1) {
      matcher_.SetRoom(session.number, session.max_held);
    }
    record.entries.push_back({task.key(), task.dispatch, session.number});
    effects.dispatches.push_back(MessageFor(task, session));
    Say(EventType::kTaskReceived, task, effects);
  }
  if (record.entries.empty()) return;
  effects.groups.push_back({groups_[group].number, std::move(record)});
}

DispatchMessage Engine::MessageFor(const Task& task, const Session& session) const {
  return {.connection = session.connection,
          .task = task.id,
          .dispatch = task.dispatch,
          .attempt = task.failed_attempts + 1U,
          .session = session.id,
          .holder = session.caller,
          .name_space = matcher_.name_space(task.lane),
          .owner = origins_.at(task.origin).owner,
          .type = matcher_.type(task.lane),
          .timeout_ms = task.timeout_ms,
          .retention_s = task.retention_s,
          .confirm_start = task.once,
          .pause = task.stepping,
          .root = task.has_kin ? trees_.TreeOf(tasks_.Find(task.id)).root : TaskId(),
          .arguments = task.has_dependencies && with_arguments_.contains(tasks_.Find(task.id)) &&
                       !KANTOKU_PLANTED("arguments left out of a dispatch"),
          .info = task.has_info ? infos_.at(task.key()) : nullptr,
          .provenance = ProvenanceOf(tasks_.Find(task.id))};
}

uint32_t Engine::OpenGroup() {
  if (free_groups_.empty()) {
    free_groups_.push_back(static_cast<uint32_t>(groups_.size()));
    groups_.emplace_back();
  }
  const uint32_t group = free_groups_.back();
  free_groups_.pop_back();
  groups_[group] = {.number = next_group_++};
  return group;
}

void Engine::LeaveGroup(Task& task, Effects& effects) {
  Group& group = groups_[task.group];
  if (--group.open > 0) return;
  effects.groups.push_back({group.number, std::nullopt});
  free_groups_.push_back(task.group);
}

void Engine::Hold(Session& session, TaskIndex index) {
  Task& task = tasks_.at(index);
  task.session = session.number;
  task.previous_held = kNoTask;
  task.next_held = session.first_held;
  if (session.first_held != kNoTask) tasks_.at(session.first_held).previous_held = index;
  session.first_held = index;
  ++session.held;
}

void Engine::Release(TaskIndex index, Effects& effects) {
  Task& task = tasks_.at(index);
  Session& session = sessions_.at(task.session);
  if (task.previous_held != kNoTask) {
    tasks_.at(task.previous_held).next_held = task.next_held;
  } else {
    session.first_held = task.next_held;
  }
  if (task.next_held != kNoTask) tasks_.at(task.next_held).previous_held = task.previous_held;
  --session.held;
  matcher_.SetRoom(session.number, session.room());
  LeaveGroup(task, effects);
  ClearAlarm(index);
  if (task.begun) --session.begun;
  task.session = 0;
  task.begun = false;
  task.unheard = false;
  task.closed_dispatch = task.dispatch;
  if (task.has_progress) progress_.erase(task.key());
  task.has_progress = false;
  if (task.steered) steerings_.erase(task.key());
  task.steered = false;
}

void Engine::Tell(const Task& task, HandlerAction action, std::string_view reason,
                  Effects& effects) const {
  const ConnectionId connection = sessions_.at(task.session).connection;
  if (connection == 0) return;
  const uint32_t number = task.steered ? steerings_.at(task.key()).number : 0;
  effects.controls.push_back({connection, task.id, task.dispatch, action, reason, number});
}

absl::StatusOr<TaskIndex> Engine::FindHeld(ConnectionId connection, const TaskId& id,
                                           uint32_t dispatch) const {
  const Session* session = sessions_.FindConnection(connection);
  const TaskIndex index = tasks_.Find(id);
  if (session == nullptr || index == kNoTask || tasks_.at(index).session != session->number) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "NOT_HELD",
                           absl::StrCat("task_id: this session does not hold ", id.ToString()));
  }
  if (tasks_.at(index).dispatch != dispatch) {
    return platform::Error(
        absl::StatusCode::kFailedPrecondition, "STALE_DISPATCH",
        absl::StrCat("dispatch: ", dispatch, " of ", id.ToString(),
                     " is over; this session holds dispatch ", tasks_.at(index).dispatch));
  }
  return index;
}

// ---- Ends and new starts ----

absl::Duration Engine::BackoffOf(const Task& task) {
  const RetryPolicy& policy = policies_.at(task.policy);
  const double exponent = std::max<int>(task.failed_attempts, 1) - 1;
  // Grows to infinity, and 0 times infinity is no number: bounded before it is multiplied.
  const double factor = std::min(std::pow(static_cast<double>(policy.multiplier), exponent), 1e12);
  const double pause = std::min<double>(policy.max_backoff_ms, policy.initial_backoff_ms * factor);
  return absl::Milliseconds(pause * (1 - policy.jitter * SplitMixFraction(jitter_state_++)));
}

void Engine::AttemptFailed(TaskIndex index, Failure failure, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  CountAttempt(task, failure);
  const RetryPolicy& policy = policies_.at(task.policy);
  if (task.failed_attempts >= policy.max_attempts ||
      std::ranges::binary_search(policy.non_retryable, failure.reason)) {
    Settle(index, TaskState::kFailed, std::move(failure), effects);
    return;
  }
  if (HasExpired(task)) {
    FailForGood(index, "EXPIRED", Expired(failure), effects);
    return;
  }
  if (OutOfDispatches(task)) {
    FailForDispatches(index, failure.reason, effects);
    return;
  }
  SetFailure(task, std::move(failure));
  Say(EventType::kTaskRetried, task, effects).failure = FailureOf(task);
  Reschedule(index, BackoffOf(task), now, effects);
}

// Whoever asked for more attempts than the limit gets them.
bool Engine::OutOfDispatches(const Task& task) const {
  return task.dispatch >= std::max(options_.max_dispatches, policies_.at(task.policy).max_attempts);
}

void Engine::FailForDispatches(TaskIndex index, std::string_view last, Effects& effects) {
  Settle(index, TaskState::kFailed,
         {"TOO_MANY_DISPATCHES",
          absl::StrCat("dispatched ", tasks_.at(index).dispatch,
                       " times without an end; last: ", platform::ToAbsl(last))},
         effects);
}

// How far the handler came nobody knows, and it must not begin again.
void Engine::FailAsUnknown(TaskIndex index, std::string_view how, Effects& effects) {
  const Failure failure = {
      "UNKNOWN_OUTCOME",
      absl::StrCat("the handler had begun and did not end: ", platform::ToAbsl(how))};
  CountAttempt(tasks_.at(index), failure);
  Settle(index, TaskState::kFailed, failure, effects);
}

// The dispatch ended without having counted. The first time the task may go elsewhere at once;
// after that it pauses, so that an executor that returns everything cannot spin.
void Engine::Return(TaskIndex index, std::string_view reason, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (task.once_begun && !KANTOKU_PLANTED("ONCE begun again in doubt")) {
    FailAsUnknown(index, reason, effects);
    return;
  }
  if (HasExpired(task)) {
    FailForGood(index, "EXPIRED", Expired({std::string(reason), ""}), effects);
    return;
  }
  if (task.paused()) {  // As somebody wanted it.
    Say(EventType::kTaskReturned, task, effects).failure.reason = reason;
    Reschedule(index, absl::ZeroDuration(), now, effects);
    return;
  }
  if (OutOfDispatches(task)) {
    FailForDispatches(index, reason, effects);
    return;
  }
  if (KANTOKU_PLANTED("attempt counted on a return")) ++task.failed_attempts;
  Say(EventType::kTaskReturned, task, effects).failure.reason = reason;
  Reschedule(index, task.dispatch == 1 ? absl::ZeroDuration() : BackoffOf(task), now, effects);
}

void Engine::TakeBack(TaskIndex index, bool lost, const Now& now, Effects& effects) {
  const Task& task = tasks_.at(index);
  const bool begun = task.begun;
  HearOf(tasks_.at(index));
  Release(index, effects);
  if (task.cancel_requested) {
    Settle(index, TaskState::kCancelled, StoppedBecause(task, "the executor was lost"), effects);
  } else if (lost && begun && !task.once_begun &&
             !KANTOKU_PLANTED("loss of a begun handler not counted")) {
    AttemptFailed(index, {"EXECUTOR_LOST", "the executor did not come back within the grace"}, now,
                  effects);
  } else {
    Return(index, lost ? "EXECUTOR_LOST" : "NOT_PRESENTED", now, effects);
  }
}

void Engine::Reschedule(TaskIndex index, absl::Duration pause, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  WriteState(task, now.wall + pause, effects);
  AskFence(task, effects);
  if (KANTOKU_PLANTED("redelivery without fence")) task.fenced_dispatch = task.dispatch;
  BackOff(index, pause, now);
}

// By steady time: a pause takes as long as it says, whatever the wall clock is set to.
void Engine::BackOff(TaskIndex index, absl::Duration pause, const Now& now) {
  Task& task = tasks_.at(index);
  task.wake = 0;
  task.backing_off = pause > absl::ZeroDuration();
  if (!task.backing_off) return Enqueue(index, now);
  task.state = task.paused() ? TaskState::kPaused : TaskState::kScheduled;
  NoteWait(task);
  SetAlarm(index, now.steady + pause);
}

// Not dispatched any more; ends when Outputs has taken the end or tells of another.
void Engine::Settle(TaskIndex index, TaskState end, Failure failure, Effects& effects) {
  Task& task = tasks_.at(index);
  task.state = TaskState::kSettling;
  task.intended_end = end;
  NoteWait(task);
  SetFailure(task, std::move(failure));
  WriteState(task, std::nullopt, effects);
  AskFence(task, effects);
  if (task.has_dependencies) dependencies_.GiveUp(index);
  if (const auto certain = CertainEnd(index)) dependencies_.Doom(index, *certain);
}

void Engine::AskFence(const Task& task, Effects& effects) {
  FenceMessage message{.task = task.id,
                       .dispatch = task.dispatch,
                       .name_space = matcher_.name_space(task.lane),
                       .owner = origins_.at(task.origin).owner};
  if (task.state == TaskState::kSettling) {
    message.settlement = {task.intended_end, FailureOf(task), task.retention_s};
  }
  effects.fences.push_back(std::move(message));
}

void Engine::FenceAnswered(const TaskId& id, uint32_t dispatch, std::optional<TaskState> terminal,
                           const Now& now, Effects& effects) {
  Advance(now);
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask) return;
  if (terminal.has_value()) {
    Finish(index, *terminal, now, effects);
    return;
  }
  // Answers come late and twice; only the first for the latest dispatch lets the task go on.
  Task& task = tasks_.at(index);
  if (dispatch != task.dispatch || task.fenced_dispatch == dispatch) return;
  task.fenced_dispatch = dispatch;
  if (task.has_keys) admission_.Free(index);
  if (task.queued()) MakeReady(index);
  NoteWait(task);
}

void Engine::Finish(TaskIndex index, TaskState end, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  EventMessage& event = Say(EventType::kTaskFinished, task, effects);
  waits_.Forget(task);
  if (task.session != 0) {
    Release(index, effects);
    task.state = end;
  } else {
    Dequeue(index, end);
  }
  const bool succeeded = end == TaskState::kSucceeded;
  event.state = end;
  if (!succeeded) event.failure = FailureOf(task);

  TaskView view = ViewOf(task);
  view.ended_at = now.wall;
  if (succeeded) {
    history_.Append(task.key());
  } else {
    dead_.Append(task.key(), task.stored_bytes + BytesOf(view));
  }
  (succeeded ? ended_ : died_).push_back(std::move(view));
  if (task.has_state_record) effects.states.push_back({task.key(), std::nullopt});
  if (succeeded) effects.erased_specs.push_back(task.key());
  if (task.has_failure) failures_.erase(task.key());
  if (task.failed_attempts > 0) attempts_.Forget(task.key());
  if (task.has_deadline) deadlines_.Forget(task.key());
  if (task.is_restart) restarted_from_.erase(task.key());
  if (task.has_info) DropInfo(index, effects);
  if (task.pure) {
    if (succeeded || KANTOKU_PLANTED("failure kept for reuse")) KeepForReuse(task, now, effects);
    pures_.erase(task.key());
  }
  if (task.has_kin) LeaveTree(index, effects);
  if (task.has_dependencies) {
    dependencies_.GiveUp(index);
    with_arguments_.erase(index);
  }
  TellWaiters(index, end, effects);
  if (task.has_keys) admission_.Leave(index);
  if (succeeded || !KANTOKU_PLANTED("quota leaked by an end")) {
    quotas_.Give(matcher_.name_space(task.lane), matcher_.type(task.lane), task.stored_bytes);
  }
  matcher_.Leave(task.lane);
  origins_.Leave(task.origin);
  policies_.Leave(task.policy);
  tasks_.Erase(index);
}

void Engine::Bury(TaskView refused) {
  if (KnowsKey(refused.id.key()) || refused.state == TaskState::kSucceeded) return;
  dead_.Append(refused.id.key(), BytesOf(refused));
  died_.push_back(std::move(refused));
}

void Engine::WriteState(Task& task, std::optional<absl::Time> not_before, Effects& effects) {
  StateRecord record{
      .closed_dispatch = task.closed_dispatch,
      .failed_attempts = task.failed_attempts,
      .cancel_requested = task.cancel_requested,
      .once_begun = task.once_begun,
      .interrupt_requested = task.interrupt_requested,
      .pause_requested = task.pause_requested,
      .stepping = task.stepping,
      .not_before = not_before,
      .waited = waits_.TimesOf(task, waits_.now()),
      .waited_until =
          advanced_zero_ + absl::Milliseconds(task.unheard ? task.waits_since() : waits_.now()),
      .last_failure = FailureOf(task)};
  if (task.failed_attempts > 0) {
    if (const auto attempts = attempts_.Of(task.key())) record.attempts = *attempts;
  }
  if (task.cancel_requested && task.session != 0) record.stop_by = absl::FromUnixNanos(task.wake);
  if (task.state == TaskState::kSettling) record.intended_end = task.intended_end;
  task.has_state_record = true;
  effects.states.push_back({task.key(), std::move(record)});
}

// ---- Time ----

void Engine::Advance(const Now& now) {
  waits_.Advance(absl::ToInt64Milliseconds(now.steady));
  advanced_zero_ = SteadyZero(now);
}

void Engine::NoteWait(Task& task) {
  if (task.has_keys && task.queued()) return;  // Admission has said it.
  waits_.Change(task, WaitOf(task));
}

void Engine::HearOf(Task& task) {
  if (!task.unheard) return;
  task.unheard = false;
  const int64_t since = task.waits_since();
  NoteWait(task);
  if (task.waits_for != WaitCause::kNone) waits_.WaitedSince(task, since);
}

// What is held waits until its handler begins.
WaitCause Engine::WaitOf(const Task& task) {
  if (task.session != 0 && (task.begun || task.unheard)) return WaitCause::kNone;
  switch (task.state) {
    case TaskState::kScheduled:
      return task.backing_off && !KANTOKU_PLANTED("backoff told as delay") ? WaitCause::kBackoff
                                                                           : WaitCause::kDelay;
    case TaskState::kReady:
      return task.queued() ? WaitCause::kNoCredit : WaitCause::kFence;
    case TaskState::kBlocked:
      return WaitCause::kDependency;
    case TaskState::kLeased:
    case TaskState::kResuming:
      return WaitCause::kExecutorQueue;
    case TaskState::kPausing:
    case TaskState::kPaused:
      return WaitCause::kPaused;
    default:
      return WaitCause::kNone;
  }
}

void Engine::SetAlarm(TaskIndex index, absl::Duration steady) {
  ClearAlarm(index);
  steady_alarms_.Push(absl::ToInt64Nanoseconds(steady), index);
}

void Engine::ClearAlarm(TaskIndex index) {
  if (tasks_.at(index).wake_position != 0) steady_alarms_.Remove(index);
}

void Engine::TaskDue(TaskIndex index, const Now& now, Effects& effects) {
  const Task& task = tasks_.at(index);
  if (task.session == 0) return Enqueue(index, now);
  const bool begun = task.begun;
  const std::string_view reason = task.interrupt_requested ? "INTERRUPTED"
                                  : task.cancel_requested  ? "CANCELLED"
                                  : begun                  ? "TIMEOUT"
                                                           : "START_TIMEOUT";
  Tell(task, HandlerAction::kRevoke, reason, effects);
  Release(index, effects);
  if (task.cancel_requested) {
    Settle(index, TaskState::kCancelled,
           StoppedBecause(task, "the executor did not confirm in time"), effects);
  } else if (begun) {
    AttemptFailed(index,
                  {std::string(reason), absl::StrCat("ran longer than ", task.timeout_ms, " ms")},
                  now, effects);
  } else {
    Return(index, reason, now, effects);
  }
}

void Engine::Tick(const Now& now, Effects& effects) {
  const int64_t wall = absl::ToUnixNanos(now.wall);
  const int64_t steady = absl::ToInt64Nanoseconds(now.steady);
  while (!wall_alarms_.empty() && wall_alarms_.top_time() <= wall) {
    const TaskIndex index = wall_alarms_.top();
    wall_alarms_.Remove(index);
    Enqueue(index, now);
  }
  while (const auto passed = deadlines_.TakePassed(now.wall)) DeadlinePassed(*passed, effects);
  while (!steady_alarms_.empty() && steady_alarms_.top_time() <= steady) {
    const TaskIndex index = steady_alarms_.top();
    steady_alarms_.Remove(index);
    TaskDue(index, now, effects);
  }
  while (!session_alarms_.empty() && session_alarms_.top_time() <= steady) {
    EndSession(session_alarms_.top(), /*lost=*/true, now, effects);
  }
  TellLateProgress(now, effects);
  const bool wall_was_set = absl::AbsDuration(SteadyZero(now) - renewal_zero_) > kWallRecheck;
  if (now.steady >= next_renewal_ || wall_was_set) RenewLeases(now, effects);
}

void Engine::RenewLeases(const Now& now, Effects& effects) {
  next_renewal_ = now.steady + options_.renew_interval;
  renewal_zero_ = SteadyZero(now);
  for (const SessionNumber number : sessions_.Numbers()) {
    const Session& session = sessions_.at(number);
    if (session.connection == 0) continue;
    for (TaskIndex i = session.first_held; i != kNoTask; i = tasks_.at(i).next_held) {
      effects.renewals.push_back(MessageFor(tasks_.at(i), session));
    }
  }
}

void Engine::Forget(const Now& now, Effects& effects) {
  const auto drop_reference = [&](TaskKey task) {
    const auto key = reference_keys_.find(task);
    if (key == reference_keys_.end()) return;
    references_.erase(key->second);
    reference_keys_.erase(key);
    effects.references.push_back({task, std::nullopt});
  };
  const absl::Time age = AgeTime(now);
  while (auto row = history_.TakeExpired(age - options_.history, options_.max_history)) {
    effects.history.push_back({row->number, std::nullopt});
    for (const TaskKey task : row->tasks) drop_reference(task);
  }
  while (auto row = dead_.TakeExpired(age - options_.dead_retention, options_.max_dead,
                                      options_.max_dead_bytes)) {
    effects.dead.push_back({row->number, std::nullopt});
    for (const TaskKey task : row->tasks) {
      drop_reference(task);
      ForgetRestart(task, effects);
      effects.erased_specs.push_back(task);
    }
  }
  ForgetLimits(now, effects);
  while (const auto number =
             requests_.ForgetExpired(age - options_.request_memory, options_.max_requests)) {
    effects.requests.push_back({*number, std::nullopt});
  }
  ForgetReusable(now, effects);
}

void Engine::FinishGroup(const Now& now, Effects& effects) {
  Advance(now);
  Tick(now, effects);
  SweepTrees(now, effects);
  SweepDependencies(now, effects);
  DispatchReady(now, effects);
  const auto close_row = [&](std::vector<TaskView>& ended, History& history, auto& changes) {
    const auto number = history.Close(AgeTime(now));
    if (number.has_value()) changes.push_back({*number, std::exchange(ended, {})});
  };
  close_row(ended_, history_, effects.history);
  close_row(died_, dead_, effects.dead);
  Forget(now, effects);
}

void Engine::FreeUnused() {
  // Lanes with ready tasks may not be matched for now; while it drains not any more, and the end is
  // near.
  if (matcher_.MayMatch()) return;
  matcher_.FreeUnused(options_.idle_names);
  admission_.keys().FreeUnused(options_.idle_names);
  names_.FreeUnused(options_.idle_names);
  origins_.FreeUnused(options_.idle_names);
  policies_.FreeUnused(options_.idle_names);
}

absl::Duration Engine::NextWake(const Now& now) const {
  absl::Duration wake = sessions_.size() > 0 ? std::min(next_renewal_, now.steady + kWallRecheck)
                                             : absl::InfiniteDuration();
  const auto at_wall = [&](absl::Time wall) {
    if (wall == absl::InfiniteFuture()) return;
    const absl::Duration wait = std::clamp(wall - now.wall, absl::Milliseconds(1), kWallRecheck);
    wake = std::min(wake, now.steady + wait);
  };
  const auto at_age = [&](absl::Time time) {
    if (time == absl::InfiniteFuture()) return;
    const absl::Duration wait = std::max(time - AgeTime(now), absl::Milliseconds(1));
    wake = std::min(wake, now.steady + wait);
  };
  if (!wall_alarms_.empty()) at_wall(absl::FromUnixNanos(wall_alarms_.top_time()));
  at_wall(deadlines_.next());
  if (!steady_alarms_.empty()) wake = std::min(wake, absl::Nanoseconds(steady_alarms_.top_time()));
  if (!late_progress_.empty()) wake = std::min(wake, late_progress_.front().first);
  if (!session_alarms_.empty()) {
    wake = std::min(wake, absl::Nanoseconds(session_alarms_.top_time()));
  }
  if (!draining_) wake = std::min(wake, admission_.NextWake());
  at_age(history_.oldest() + options_.history);
  at_age(dead_.oldest() + options_.dead_retention);
  at_age(requests_.oldest() + options_.request_memory);
  at_age(reuse_.next_time());
  const bool more = trees_.sweeping() || dependencies_.sweeping() || MayDispatch();
  return more ? now.steady : wake;
}

}  // namespace kantoku::inputs
