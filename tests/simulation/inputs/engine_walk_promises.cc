#include <algorithm>
#include <stdexcept>

#include "tests/simulation/inputs/engine_walk.h"

// What is looked at after every group: that nothing was promised and not kept.
namespace kantoku::inputs::testing {

void EngineWalk::Expect(bool holds, const std::string& promise) const {
  if (holds) return;
  throw std::logic_error("broken: " + promise + " (seed " + std::to_string(seed_) + ", step " +
                         std::to_string(step_) + ")");
}

void EngineWalk::NoteDeadlines(const TaskId& task, const TaskSpec& spec) {
  Deadlines deadlines;
  deadlines.begin_by = spec.expire_at.value_or(deadlines.begin_by);
  if (spec.total_timeout_ms > 0) {
    deadlines.end_by = task.time() + absl::Milliseconds(spec.total_timeout_ms);
  }
  deadlines_[task] = deadlines;
}

void EngineWalk::CheckDeadlines(const Effects& effects) {
  for (const auto& message : effects.dispatches) {
    const Deadlines& deadlines = deadlines_[message.task];
    Expect(now_.wall < deadlines.begin_by, "what has expired is not dispatched");
    Expect(now_.wall < deadlines.end_by, "what has no time left is not dispatched");
  }
  if (step_ % 16 != 0) return;
  for (const TaskView& view : Living()) {
    if (view.state == TaskState::kSettling) continue;
    const Deadlines& deadlines = deadlines_[view.id];
    Expect(now_.wall < deadlines.end_by, "what has no time left ends");
    Expect(now_.wall < deadlines.begin_by || !view.session.empty(), "what waits and expires ends");
  }
}

void EngineWalk::CheckGroup(const Effects& effects) {
  CheckDeadlines(effects);
  // Sweeps of trees and what their tasks left in the queues go on in the next group.
  if (engine_->NextWake(now_) <= now_.steady) ++counts_["more to do"];
  std::set<SessionId> fed;
  for (const auto& message : effects.dispatches) {
    fed.insert(message.session);
    const Executor* const executor = Connected(message.connection);
    Expect(executor != nullptr, "dispatches go to connected sessions");
    Expect(!executor->paused, "a paused session gets nothing");
    const auto view = engine_->Find(message.task);
    Expect(!marks_.contains(view->root) || !Stops(marks_.at(view->root)),
           "nothing begins in a tree that is being stopped");
    Expect(!executor->leaving, "who was asked to leave gets nothing new");
    CheckPlaced(message, *executor);
  }
  for (const auto& message : effects.controls) Expect(message.connection != 0, "controls reach");
  for (const std::string_view name_space : {"even", "odd"}) {
    for (const auto& view : engine_->Sessions(name_space)) {
      Expect(view.max_held <= options_.max_session_credit, "credit is capped");
      if (view.held >= view.max_held) ++counts_["no credit left"];
      if (fed.contains(view.id)) Expect(view.held <= view.max_held, "credit is kept");
    }
  }
}

void EngineWalk::CheckDispatch(const DispatchMessage& message) {
  const auto task = tasks_.find(message.task);
  Expect(task != tasks_.end(), "only accepted tasks are dispatched");
  Expect(task->second.ends == 0, "a task that ended is not dispatched");
  Expect(message.dispatch == task->second.dispatch + 1, "dispatch numbers ascend");
  Expect(outputs_.closed(message.task) + 1 >= message.dispatch,
         "a task is dispatched again only when its last dispatch is closed");
  Expect(!outputs_.end(message.task).has_value(), "what has a result is not dispatched");
  CheckMayRun(message.task);
  task->second.dispatch = message.dispatch;
  if (message.dispatch > 1) ++counts_["dispatched again"];
}

void EngineWalk::CheckEnded(const TaskView& view, bool dead) {
  const auto task = tasks_.find(view.id);
  Expect(task != tasks_.end(), "only accepted tasks end");
  Expect(++task->second.ends == 1, "a task ends once");
  task->second.ended = moment_.real;
  Expect(view.state == outputs_.end(view.id), "a task ends as Outputs says");
  Expect((view.state != TaskState::kSucceeded) == dead, "history is for success alone");
  Expect(view.session.empty() && view.ended_at.has_value(), "nobody holds an ended task");
  CheckSkipped(view);
  keyed_.erase(view.id);
  CheckInfo(view);
  if (view.last_failure.reason == "TOO_MANY_DISPATCHES") ++counts_["too many dispatches"];
  if (view.last_failure.reason == "EXPIRED") ++counts_["expired"];
  if (view.last_failure.reason == "TOTAL_TIMEOUT") ++counts_["no time left"];
  ++counts_[view.state == TaskState::kSucceeded ? "succeeded"
            : view.state == TaskState::kFailed  ? "failed"
                                                : "cancelled end"];
}

void EngineWalk::CheckCommitted(const Effects& effects) {
  size_t ended = 0;
  for (const auto& message : effects.dispatches) CheckDispatch(message);
  const auto check_rows = [&](const auto& rows, bool dead) {
    for (const auto& row : rows) {
      if (!row.record.has_value()) {
        ++counts_["history row dropped"];
        continue;
      }
      for (const auto& view : *row.record) CheckEnded(view, dead);
      ended += row.record->size();
    }
  };
  check_rows(effects.history, false);
  check_rows(effects.dead, true);
  const auto told =
      std::ranges::count(effects.events, EventType::kTaskFinished, &EventMessage::type);
  Expect(ended == static_cast<size_t>(told), "every end has one event");
}

void EngineWalk::CheckLiving() {
  std::map<SessionId, uint32_t> held;
  size_t living = 0;
  CheckContexts(Living());
  CheckQuotas(Living());
  for (const TaskView& view : Living()) {
    ++living;
    CheckCause(view);
    CheckBlocked(view);
    CheckInfo(view);
    if (!view.session.empty()) ++held[view.session];
  }
  CheckWaits();
  for (const std::string_view name_space : {"even", "odd"}) {
    for (const auto& view : engine_->Sessions(name_space)) {
      Expect(view.held == held[view.id], "sessions hold what is held by them");
      held.erase(view.id);
    }
  }
  Expect(held.empty(), "only sessions hold tasks");
  Expect(living == engine_->pending(), "every living task is listed");
  if (!committing_.empty()) return;
  for (const auto& [id, task] : tasks_) {
    const bool lives = engine_->Find(id).has_value();
    if (task.ends > 0) Expect(!lives, "what ended lives no more");
    if (task.ends > 0 || lives) continue;
    Expect(engine_->FindHistory(id.key()).has_value() || engine_->FindDead(id.key()).has_value(),
           "no task is lost");
  }
  std::set<std::string> references;
  for (const auto& [key, record] : records_.references) {
    Expect(
        references.insert(record.name_space + '/' + record.owner + '/' + record.reference).second,
        "a reference has one holder");
  }
}

}  // namespace kantoku::inputs::testing
