#include "tests/simulation/inputs/engine_walk.h"

#include <algorithm>
#include <utility>

namespace kantoku::inputs::testing {
namespace {

using absl::Hours;
using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;

constexpr size_t kMostCommitting = 4;

EngineOptions Options(uint64_t seed) {
  EngineOptions options;
  options.slot_count = 2;
  options.max_pending = 120;
  options.idle_names = 1;
  options.max_selectors = 5;
  options.max_info_bytes = 6'000;
  options.quotas = {{.name_space = "even", .max_tasks = 50, .max_bytes = 4'000},
                    {.name_space = "even", .type = "type-1", .max_tasks = 8},
                    {.name_space = "odd", .type = "type-2", .max_tasks = 20, .max_bytes = 900}};
  options.max_session_credit = 5;
  options.max_dispatches = 6;
  options.max_history = 40;
  options.max_dead = 40;
  options.max_requests = 30;
  options.tree_sweep = 1;
  options.dependency_sweep = 1;
  options.max_dependencies = 20;
  options.renew_interval = Minutes(1);
  options.wait_intervals = seed % 4 == 0 ? 4 : EngineWalk::kEnoughIntervals;
  options.seed = seed;
  return options;
}

}  // namespace

// ---- Outputs ----

bool ModelOutputs::Put(const TaskId& task, uint32_t dispatch) {
  Entry& entry = entries_[task];
  if (entry.end.has_value()) {
    return *entry.end == TaskState::kSucceeded && entry.winner == dispatch;
  }
  if (dispatch <= entry.closed) return false;
  entry.end = TaskState::kSucceeded;
  entry.winner = dispatch;
  return true;
}

std::optional<TaskState> ModelOutputs::Fence(const FenceMessage& fence) {
  Entry& entry = entries_[fence.task];
  if (!entry.end.has_value()) {
    entry.closed = std::max(entry.closed, fence.dispatch);
    if (fence.settlement.has_value()) entry.end = fence.settlement->end;
  }
  return entry.end;
}

std::optional<TaskState> ModelOutputs::end(const TaskId& task) const {
  const auto found = entries_.find(task);
  return found == entries_.end() ? std::nullopt : found->second.end;
}

uint32_t ModelOutputs::closed(const TaskId& task) const {
  const auto found = entries_.find(task);
  return found == entries_.end() ? 0 : found->second.closed;
}

// ---- The walk ----

SessionId EngineWalk::NewSession() {
  const uint64_t number = next_session_++;
  std::array<uint8_t, 16> bytes{};
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(number >> (8 * i));
  return SessionId(platform::Uuid(bytes));
}

EngineWalk::EngineWalk(uint64_t seed)
    : seed_(seed),
      options_(Options(seed)),
      random_(seed),
      now_{absl::FromUnixSeconds(1'700'000'000), Seconds(100)} {
  for (size_t i = 0; i < executors_.size(); ++i) {
    executors_[i].session = NewSession();
    executors_[i].caller = {"subject-" + std::to_string(i), "app"};
    executors_[i].name = "walker-" + std::to_string(i);
    executors_[i].name_space = i % 2 == 0 ? "even" : "odd";
  }
  engine_ = records_.Recover(options_, now_, open_.effects);
}

void EngineWalk::Run(int steps) {
  for (int i = 0; i < steps; ++i) {
    ++step_;
    Step();
    if (Chance(40)) EndGroup();
    if (Chance(30) || committing_.size() > kMostCommitting) Commit();
    if (step_ % 64 == 0) CheckLiving();
  }
}

void EngineWalk::Step() {
  Executor& executor = AnyExecutor();
  const uint64_t kind = Pick(1'000);
  if (kind < 90) return Spawn();
  if (kind < 100) return RepeatSpawn();
  if (kind < 135) return Control();
  if (kind < 170)
    return executor.connection == 0 || Chance(10) ? Connect(executor) : Work(executor);
  if (kind < 185) return Disconnect(executor);
  if (kind < 200) return ChangeCredit(executor);
  if (kind < 230) return Lie(executor);
  if (kind < 430) return AskOutputs();
  if (kind < 630) return HearOutputs();
  if (kind < 720) return Wait();
  if (kind < 724) return Crash();
  if (kind < 730) return ChangeRoute();
  if (kind < 734) return AskToLeave(executor);
  if (kind < 738) return ChangeLimit();
  if (kind < 744) return ChangePause();
  if (kind < 750) return Restart();
  if (kind < 770) return Patch();
  Work(executor);
}

void EngineWalk::EndGroup() {
  std::set<TaskId> paused;  // But for members of trees, which may be resumed by a sweep now.
  for (const TaskView& view : Living()) {
    if (view.state == TaskState::kPaused && view.session.empty() && view.root.empty()) {
      paused.insert(view.id);
    }
  }
  engine_->FinishGroup(now_, open_.effects);
  for (const auto& message : open_.effects.dispatches) {
    Expect(!paused.contains(message.task), "what is paused is not dispatched");
  }
  CheckGroup(open_.effects);
  CheckAdmitted(open_.effects);
  if (Chance(10)) CheckNothingIdles();
  committing_.push_back(std::exchange(open_, {}));
  engine_->FreeUnused();  // Names in effects are not looked at again.
}

void EngineWalk::Commit() {
  if (committing_.empty()) return;
  const Group group = std::move(committing_.front());
  committing_.pop_front();
  for (const auto& then : group.on_commit) then();
  records_.Apply(group.effects);
  CheckCommitted(group.effects);
  for (const auto& check : group.checks) check();
  Deliver(group.effects);
}

void EngineWalk::CommitAll() {
  while (!committing_.empty()) Commit();
}

void EngineWalk::Deliver(const Effects& effects) {
  for (const auto& message : effects.dispatches) DeliverDispatch(message);
  for (const auto& message : effects.controls) {
    Executor* const executor = Connected(message.connection);
    if (executor == nullptr) continue;
    const auto handler = executor->handlers.find(message.task);
    if (handler == executor->handlers.end() || handler->second.dispatch != message.dispatch)
      continue;
    if (message.action == HandlerAction::kCancel || message.action == HandlerAction::kInterrupt) {
      handler->second.cancelled = true;
    } else if (message.action != HandlerAction::kRevoke) {
      handler->second.told = message;
    } else if (Chance(80)) {  // Else it is frozen and goes on as a ghost.
      executor->handlers.erase(handler);
      ++counts_["recalled"];
    }
  }
  for (const auto& message : effects.fences) asked_.push_back(message);
  for (const auto& message : effects.closes) {
    if (Chance(50)) engine_->CloseConnection(message.connection, now_, open_.effects);
  }
}

void EngineWalk::DeliverDispatch(const DispatchMessage& message) {
  Executor* const executor = Connected(message.connection);
  if (executor == nullptr) return;
  Handler& handler = executor->handlers[message.task] = {.dispatch = message.dispatch};
  if (!message.pause) return;
  ++counts_["stepped from the start"];
  handler.started = true;
  handler.told = HandlerMessage{.connection = message.connection,
                                .task = message.task,
                                .dispatch = message.dispatch,
                                .action = HandlerAction::kPause,
                                .number = 0};
}

EngineWalk::Executor* EngineWalk::Connected(ConnectionId connection) {
  const auto found = std::ranges::find(executors_, connection, &Executor::connection);
  return connection == 0 || found == executors_.end() ? nullptr : &*found;
}

std::optional<TaskId> EngineWalk::AnyTask() {
  if (recent_.empty()) return std::nullopt;
  const size_t reach = std::min<size_t>(recent_.size(), 150);
  return recent_[recent_.size() - 1 - Pick(reach)];
}

std::vector<TaskView> EngineWalk::Living() const {
  std::vector<TaskView> living;
  for (const std::string_view name_space : {"even", "odd"}) {
    for (const std::string owner : {"anna", "bert"}) {
      std::optional<TaskKey> from;
      do {
        const TaskFilter filter{
            .name_space = name_space,
            .viewer = platform::Viewer(platform::Onlooker(owner, {platform::kEveryNamespace}))};
        std::ranges::move(engine_->List(filter, 10, 17, from), std::back_inserter(living));
      } while (from.has_value());
    }
  }
  return living;
}

// ---- Outputs' answers, time, crashes ----

void EngineWalk::AskOutputs() {
  if (!ghosts_.empty() && Chance(20)) {
    outputs_.Fence(ghosts_[Pick(ghosts_.size())]);
    return;
  }
  if (asked_.empty()) return;
  const size_t at = Pick(asked_.size());
  const FenceMessage fence = asked_[at];
  const auto end = outputs_.Fence(fence);
  const uint64_t fate = Pick(100);
  if (fate < 10) return;  // The answer is lost; it will be asked again.
  answers_.push_back({fence.task, fence.dispatch, end});
  if (fate < 25) return;  // Answered, and yet asked again.
  asked_.erase(asked_.begin() + static_cast<std::ptrdiff_t>(at));
}

void EngineWalk::HearOutputs() {
  if (answers_.empty()) return;
  const size_t at = Pick(answers_.size());
  const Answer answer = answers_[at];
  if (answer.end.has_value()) ++counts_["fence told an end"];
  engine_->FenceAnswered(answer.task, answer.dispatch, answer.end, now_, open_.effects);
  if (Chance(80)) answers_.erase(answers_.begin() + static_cast<std::ptrdiff_t>(at));
  if (answer.end.value_or(TaskState::kSucceeded) == TaskState::kSucceeded || Chance(80)) return;
  EndGroup();  // Others may wait for it, of whom not all have heard.
  CommitAll();
  if (records_.ended_dependencies.empty()) return;
  ++counts_["crash before all waiters heard"];
  Crash();
}

void EngineWalk::Wait() {
  const absl::Duration wait = Chance(90) ? Milliseconds(Pick(2'000)) : Seconds(Pick(90));
  Pass(wait);
  moment_.real += wait;
  if (!Chance(3)) return;
  const absl::Duration set = Seconds(Pick(3'600)) - Minutes(30);
  now_.wall += set;
  moment_.clock_set += absl::AbsDuration(set);
}

void EngineWalk::Crash() {
  ++counts_["crash"];
  for (uint64_t durable = Pick(committing_.size() + 1); durable > 0; --durable) Commit();
  if (!committing_.empty() && Chance(50)) {  // Durable, but nobody heard of it.
    for (const auto& then : committing_.front().on_commit) then();
    records_.Apply(committing_.front().effects);
    CheckCommitted(committing_.front().effects);
    for (const auto& check : committing_.front().checks) check();
    committing_.pop_front();
  }
  if (!committing_.empty()) ++counts_["crash lost groups"];
  committing_.clear();
  open_ = {};
  engine_.reset();
  std::ranges::move(asked_, std::back_inserter(ghosts_));
  if (ghosts_.size() > 50) ghosts_.erase(ghosts_.begin(), ghosts_.end() - 50);
  asked_.clear();
  answers_.clear();
  marks_ = marks_for_good_;
  for (auto& [id, task] : tasks_) task.restarted_as = TaskId();
  for (const auto& [dead, record] : records_.restarts) {
    for (const auto& [row, views] : records_.dead) {
      for (const TaskView& view : views) {
        if (view.id.key() == dead) tasks_[view.id].restarted_as = record.successor;
      }
    }
  }
  for (Executor& executor : executors_) executor.connection = 0;
  now_.steady = Seconds(Pick(1'000));
  const absl::Duration gone = Seconds(Pick(60));
  now_.wall += gone;
  moment_.real += gone;
  engine_ = records_.Recover(options_, now_, open_.effects);
  RecoverAdmission();
  RecoverInfos();
  routes_.clear();
  for (const auto& [number, route] : records_.routes) {
    routes_.insert_or_assign(std::pair(route.name_space, route.type), *route.selector);
  }
  RecoverWaits();
}

// ---- The end ----

void EngineWalk::Drain() {
  std::vector<std::string> types;
  for (uint64_t i = 0; i < kTypes; ++i) types.push_back(TypeOf(i));
  for (Executor& executor : executors_) {
    Disconnect(executor);
    executor.handlers.clear();
    executor.session = NewSession();
    executor.connection = next_connection_++;
    executor.paused = false;
    executor.leaving = false;
    executor.types = {types.begin(), types.end()};
    (void)engine_->OpenSession({.session = executor.session,
                                .caller = executor.caller,
                                .name_space = executor.name_space,
                                .types = types,
                                .labels = Label(executor),
                                .max_held = 5,
                                .connection = executor.connection},
                               now_, open_.effects);
  }
  LiftPauses();
  for (int round = 0; round < 1'000 && engine_->pending() > 0; ++round) {
    for (const TaskView& view : Living()) {
      // Whoever paused them is gone.
      (void)engine_->Control({.task = view.id, .verb = ControlVerb::kResume}, now_, open_.effects);
      if (view.root.empty()) continue;
      (void)engine_->Control({.task = view.root, .verb = ControlVerb::kResume, .tree = true}, now_,
                             open_.effects);
    }
    EndGroup();
    CancelWhatFitsNobody();
    CommitAll();
    for (const Answer& answer : std::exchange(answers_, {})) {
      engine_->FenceAnswered(answer.task, answer.dispatch, answer.end, now_, open_.effects);
    }
    for (const auto& fence : std::exchange(asked_, {})) {
      engine_->FenceAnswered(fence.task, fence.dispatch, outputs_.Fence(fence), now_,
                             open_.effects);
    }
    for (Executor& executor : executors_) {
      for (auto& [task, handler] : executor.handlers) {
        Expect(handler.put || Put(task, handler.dispatch), "an honest executor can answer");
        handler.put = true;
        Acknowledge(executor, task);
      }
    }
    Pass(round < 200 ? Seconds(5) : Minutes(10));
  }
  Expect(engine_->pending() == 0, "everything ends");
  for (Executor& executor : executors_) Disconnect(executor);
  EndGroup();
  CommitAll();
  now_.steady += Hours(24 * 10);
  now_.wall += Hours(24 * 10);
  do {
    EndGroup();
    CommitAll();
  } while (engine_->NextWake(now_) <= now_.steady);  // Sweeps of trees that are gone.
  CheckEmpty();
}

void EngineWalk::CheckEmpty() {
  for (const auto& [id, task] : tasks_) Expect(task.ends == 1, "every accepted task ends");
  CheckGivenUp();
  Expect(records_.specs.empty(), "no spec stays");
  Expect(records_.ended_dependencies.empty(), "no ended dependency stays");
  Expect(records_.states.empty(), "no state stays");
  Expect(records_.groups.empty(), "no dispatch group stays");
  Expect(records_.sessions.empty(), "no session stays");
  Expect(records_.references.empty(), "no reference stays");
  Expect(records_.trees.empty(), "no tree stays");
  Expect(records_.reuses.empty(), "no result stays to be reused");
  Expect(records_.requests.empty(), "no request stays");
  Expect(records_.restarts.empty(), "no restart stays");
  Expect(records_.infos.empty(), "no info stays");
  Expect(records_.routes.size() == routes_.size(), "routes stay until they are removed");
  CheckNothingLeaks();
  Expect(records_.history.empty() && records_.dead.empty(), "no history stays");
  Expect(engine_->history().size() == 0 && engine_->dead().size() == 0, "history is forgotten");
  Expect(engine_->Sessions("even").empty() && engine_->Sessions("odd").empty(), "no session lives");
  Expect(engine_->NextWake(now_) == absl::InfiniteDuration(), "nothing is waited for");
}

}  // namespace kantoku::inputs::testing
