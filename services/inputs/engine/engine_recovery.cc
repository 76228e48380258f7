#include <algorithm>
#include <utility>

#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"

// What records say after a restart. The order of calls is the order of the header.
namespace kantoku::inputs {

using platform::Now;

namespace {

History::Row RowOf(uint64_t number, const std::vector<TaskView>& tasks) {
  History::Row row{.number = number, .ended = absl::InfinitePast()};
  for (const TaskView& task : tasks) {
    row.tasks.push_back(task.id.key());
    row.bytes += BytesOf(task);
    row.ended = std::max(row.ended, task.ended_at.value_or(absl::InfinitePast()));
  }
  return row;
}

// Of a dispatch of which nobody has said yet whether it has begun.
TaskState HeldState(const Task& task) {
  if (task.interrupt_requested) return TaskState::kInterrupting;
  if (task.cancel_requested) return TaskState::kCancelling;
  return task.paused() ? TaskState::kPausing : TaskState::kLeased;
}

}  // namespace

void Engine::RecoverHighWater(uint32_t slot, uint64_t reserved) {
  sequences_[slot] = {reserved, reserved};
}

void Engine::RecoverHistory(uint64_t row, const std::vector<TaskView>& tasks) {
  history_.Recover(RowOf(row, tasks));
}

void Engine::RecoverDead(uint64_t row, const std::vector<TaskView>& tasks) {
  dead_.Recover(RowOf(row, tasks));
}

void Engine::RecoverSession(SessionNumber number, const SessionRecord& record) {
  Session& session = sessions_.Add(number, record.id);
  session.caller = record.caller;
  session.name_space = names_.Intern(record.name_space);
  names_.Use(session.name_space);
}

void Engine::RecoverTask(const TaskId& id, std::string_view name_space, std::string_view owner,
                         const TaskSpec& spec) {
  if (dead_.Find(id.key()).has_value()) {  // Kept for restarts, lives no more.
    dead_.AddBytes(id.key(), spec.stored_bytes);
    return;
  }
  const uint32_t origin =
      origins_.Intern({std::string(owner), spec.provenance.app, spec.provenance.executor_owner,
                       spec.provenance.spawn_scope});
  const TaskIndex index = Admit(id, name_space, origin, spec, spec.order);
  if (tasks_.at(index).has_deadline && KANTOKU_PLANTED("deadlines forgotten in recovery")) {
    deadlines_.Forget(id.key());
    tasks_.at(index).has_deadline = false;
  }
  const bool skipped = KANTOKU_PLANTED("ordering key skipped after a crash") &&
                       spec.keys != nullptr && !spec.keys->ordering.empty();
  if (spec.keys != nullptr && !skipped) {
    admission_.Join(index, name_space, owner, spec.type, *spec.keys, /*named=*/{});
  }
  if (!spec.root.empty()) Join(index, spec.parent, spec.root, spec.provenance);
  if (spec.dependencies.empty()) return;
  tasks_.at(index).has_dependencies = true;
  recovered_dependencies_.emplace_back(index, spec.dependencies);
  if (std::ranges::any_of(spec.dependencies, &Dependency::argument)) with_arguments_.insert(index);
}

void Engine::RecoverState(TaskKey key, const StateRecord& record) {
  const TaskIndex index = tasks_.FindKey(key);
  if (index == kNoTask) return;
  Task& task = tasks_.at(index);
  task.has_state_record = true;
  task.dispatch = record.closed_dispatch;
  task.closed_dispatch = record.closed_dispatch;
  task.failed_attempts = std::min(record.failed_attempts, Task::kMostFailedAttempts);
  task.cancel_requested = record.cancel_requested && !KANTOKU_PLANTED("cancel lost in recovery");
  task.once_begun = record.once_begun && !KANTOKU_PLANTED("start of ONCE lost in recovery");
  task.interrupt_requested =
      record.interrupt_requested && !KANTOKU_PLANTED("interrupt lost in recovery");
  task.pause_requested =
      record.pause_requested && !KANTOKU_PLANTED("paused task dispatched after recovery");
  task.stepping = record.stepping;
  if (record.intended_end.has_value()) {
    task.state = TaskState::kSettling;
    task.intended_end = *record.intended_end;
  }
  if (record.not_before.has_value()) {
    task.wake = absl::ToUnixNanos(*record.not_before);
    task.backing_off = true;
  }
  if (record.cancel_requested) {
    task.wake = record.stop_by.has_value() ? absl::ToUnixNanos(*record.stop_by) : 0;
  }
  SetFailure(task, record.last_failure);
  attempts_.Recover(key, record.attempts);
  waits_.Recover(task, record.waited);
  if (record.waited_until.has_value()) waited_until_[key] = *record.waited_until;
}

// A dispatch counts unless its task is gone or says that it is over; the newest one is held.
void Engine::RecoverGroup(uint64_t number, const DispatchGroupRecord& record) {
  next_group_ = number;
  const uint32_t group = OpenGroup();
  groups_[group].at = record.at;
  for (const auto& entry : record.entries) {
    const TaskIndex index = tasks_.FindKey(entry.task);
    if (index == kNoTask) continue;
    Task& task = tasks_.at(index);
    if (entry.dispatch <= task.dispatch || KANTOKU_PLANTED("dispatch number reused")) continue;
    task.dispatch = entry.dispatch;
    Session* session = sessions_.Find(entry.session);
    if (session == nullptr) {
      task.closed_dispatch = entry.dispatch;
      continue;
    }
    task.group = group;
    ++groups_[group].open;
    Hold(*session, index);
  }
}

void Engine::RecoverRequest(uint64_t number, RequestRecord record) {
  if (KANTOKU_PLANTED("request run again after a restart")) return;
  requests_.Recover(number, std::move(record));
}

// What no record tells of its time until now: it waited, unless a dispatch was held. Whether that
// waited, too, or ran, its executor will say.
void Engine::RecoverWait(TaskIndex index, const Now& now) {
  Task& task = tasks_.at(index);
  const auto marked = waited_until_.find(task.key());
  const absl::Time since = marked == waited_until_.end() ? task.id.time() : marked->second;
  NoteWait(task);
  if (KANTOKU_PLANTED("waits before a restart forgotten")) return;
  if (task.session == 0) {
    const absl::Duration away = std::max(now.wall - since, absl::ZeroDuration());
    waits_.WaitedSince(task, waits_.now() - absl::ToInt64Milliseconds(away));
    return;
  }
  const absl::Time dispatched = std::max(groups_[task.group].at.value_or(since), since);
  CauseTimes times{};
  times[static_cast<size_t>(WaitCause::kRecovering)] =
      absl::ToInt64Milliseconds(dispatched - since);
  waits_.Recover(task, times);
  const absl::Duration held = std::max(now.wall - dispatched, absl::ZeroDuration());
  task.set_waits_since(waits_.now() - absl::ToInt64Milliseconds(held));
}

void Engine::FinishRecovery(const Now& now, Effects& effects) {
  RenewLeases(now, effects);  // Nobody is connected yet: starts the time until the next one.
  started_zero_ = SteadyZero(now);
  advanced_zero_ = started_zero_;
  waits_.Begin(absl::ToInt64Milliseconds(now.steady));
  if (KANTOKU_PLANTED("reference lost in recovery")) references_.clear();
  for (uint32_t group = 0; group < groups_.size(); ++group) {
    if (groups_[group].open > 0) continue;
    effects.groups.push_back({groups_[group].number, std::nullopt});
    free_groups_.push_back(group);
  }
  RecoverBonds();
  std::vector<TaskIndex> living;
  living.reserve(tasks_.size());
  for (TaskIndex index = tasks_.LowerBound(0); index != kNoTask;
       index = tasks_.LowerBound(tasks_.at(index).key() + 1)) {
    living.push_back(index);
  }
  // A bucket knows steady times of another machine's start, which are none here.
  if (!KANTOKU_PLANTED("bucket refilled by a clock jump")) {
    admission_.keys().DrainBuckets(now.steady);
  }
  for (const TaskIndex index : living) {
    Task& task = tasks_.at(index);
    if (task.has_keys && task.dispatch > 0) admission_.CountDispatch(index);
    if (task.pure && task.id.time() > now.wall) {
      // The wall clock was set back since: nobody knows from when on there may be a result.
      pures_.at(task.key()).result_after = absl::InfinitePast();
    }
    if (task.session != 0) {
      task.state = HeldState(task);
      task.unheard = true;
    } else if (task.state == TaskState::kSettling) {
      if (const auto certain = CertainEnd(index)) dependencies_.Doom(index, *certain);
      if (KANTOKU_PLANTED("settlement not asked again after a restart")) continue;
      AskFence(task, effects);
    } else if (task.once_begun) {
      FailAsUnknown(index, "no session holds it", effects);
    } else {
      if (task.dispatch > 0) AskFence(task, effects);
      if (task.backing_off) {
        // By the wall clock of before, which may have been ahead.
        const absl::Duration longest = absl::Milliseconds(policies_.at(task.policy).max_backoff_ms);
        BackOff(index, std::min(absl::FromUnixNanos(task.wake) - now.wall, longest), now);
      } else {
        Enqueue(index, now);
      }
    }
    RecoverWait(index, now);
  }
  waited_until_.clear();
  for (const SessionNumber number : sessions_.Numbers()) {
    if (sessions_.at(number).held == 0) {
      EndSession(number, /*lost=*/false, now, effects);
    } else {
      session_alarms_.Push(absl::ToInt64Nanoseconds(now.steady + options_.grace), number);
    }
  }
}

}  // namespace kantoku::inputs
