#include <algorithm>
#include <array>
#include <utility>

#include "services/platform/status.h"
#include "tests/simulation/inputs/engine_walk.h"

// What executors do in the walk: honest ones, forgetful ones and liars.
namespace kantoku::inputs::testing {

void EngineWalk::Connect(Executor& executor) {
  if (executor.connection == 0 && Chance(15)) executor.session = NewSession();
  std::vector<HeldDispatch> held;
  for (auto handler = executor.handlers.begin(); handler != executor.handlers.end();) {
    if (Chance(15)) {  // Its process was killed.
      handler = executor.handlers.erase(handler);
      continue;
    }
    held.push_back({.task = handler->first,
                    .dispatch = handler->second.dispatch,
                    .started = handler->second.started != Chance(5),
                    .paused = handler->second.paused,
                    .finished = handler->second.put});
    ++handler;
  }
  while (Chance(20)) {
    const auto task = AnyTask();
    if (!task.has_value()) break;
    held.push_back({.task = *task, .dispatch = static_cast<uint32_t>(Pick(4)), .started = true});
  }
  std::vector<std::string> types;
  for (uint64_t i = 0, count = Pick(5); i < count; ++i) types.push_back(TypeOf(Pick(kTypes)));
  OpenSessionCommand command{.session = executor.session,
                             .caller = executor.caller,
                             .name_space = executor.name_space,
                             .name = executor.name,
                             .types = types,
                             .held = held,
                             .max_held = static_cast<uint32_t>(Pick(8)),
                             .connection = next_connection_++};
  bool exists = false;
  for (const auto& view : engine_->Sessions(executor.name_space)) {
    exists |= view.id == executor.session;
  }
  if (exists && Chance(10)) {
    command.caller.subject = "mallory";
    const auto verdicts = engine_->OpenSession(command, now_, open_.effects);
    Expect(platform::ReasonOf(verdicts.status()) == "FOREIGN_SESSION", "a session is its caller's");
    ++counts_["foreign"];
    return;
  }
  if (executor.connection != 0) ++counts_["superseded"];
  if (exists) ++counts_["resumed"];
  executor.connection = command.connection;
  executor.types = {types.begin(), types.end()};
  command.labels = Label(executor);
  executor.max_held = command.max_held;
  executor.paused = false;
  executor.leaving = false;
  const auto verdicts = engine_->OpenSession(command, now_, open_.effects);
  Expect(verdicts.ok() && verdicts->size() == held.size(), "hello is answered item by item");
  CheckHello(executor, held, *verdicts);
  open_.on_commit.push_back(
      [&executor, held, verdicts = *verdicts, connection = command.connection] {
        if (executor.connection != connection) return;
        for (size_t i = 0; i < held.size(); ++i) {
          const auto handler = executor.handlers.find(held[i].task);
          if (handler == executor.handlers.end()) continue;
          if (handler->second.dispatch != held[i].dispatch) continue;
          if (verdicts[i] != HeldVerdict::kKept) executor.handlers.erase(handler);
        }
      });
}

void EngineWalk::CheckHello(const Executor& executor, const std::vector<HeldDispatch>& held,
                            const std::vector<HeldVerdict>& verdicts) {
  std::set<TaskId> kept;
  for (size_t i = 0; i < held.size(); ++i) {
    const auto view = engine_->Find(held[i].task);
    if (held[i].finished) {
      ++counts_["receipt in hello"];
      Expect(verdicts[i] == HeldVerdict::kFinished && !view.has_value(), "a receipt finishes");
    } else if (verdicts[i] == HeldVerdict::kKept) {
      ++counts_["kept"];
      kept.insert(held[i].task);
      Expect(!view.has_value() ||
                 (view->session == executor.session && view->dispatch == held[i].dispatch),
             "only what is held goes on");
    } else {
      ++counts_["not held"];
    }
  }
  std::erase_if(kept, [&](const TaskId& task) { return !engine_->Find(task).has_value(); });
  for (const auto& view : engine_->Sessions(executor.name_space)) {
    if (view.id == executor.session) {
      Expect(view.held == kept.size(), "what hello omits is taken back");
    }
  }
}

void EngineWalk::Disconnect(Executor& executor) {
  if (executor.connection == 0) return;
  engine_->CloseConnection(executor.connection, now_, open_.effects);
  executor.connection = 0;
  if (Chance(30)) executor.handlers.clear();
}

void EngineWalk::ChangeCredit(Executor& executor) {
  if (Chance(30)) {
    executor.paused = !executor.paused && executor.connection != 0;
    return engine_->SetPaused(executor.connection, executor.paused);
  }
  executor.max_held = static_cast<uint32_t>(Pick(8));
  if (executor.connection != 0) engine_->SetCredit(executor.connection, executor.max_held);
}

void EngineWalk::Work(Executor& executor) {
  if (executor.handlers.empty()) return;
  auto entry = executor.handlers.begin();
  std::advance(entry, Pick(executor.handlers.size()));
  const TaskId task = entry->first;
  Handler& handler = entry->second;
  const bool connected = executor.connection != 0;
  if (handler.put) {
    if (connected) Acknowledge(executor, task);
    return;
  }
  if (!handler.started) {
    handler.started = true;
    if (!connected) return;
    const auto view = engine_->Find(task);
    const bool held =
        view.has_value() && view->session == executor.session && view->dispatch == handler.dispatch;
    const auto status =
        engine_->Started(executor.connection, task, handler.dispatch, now_, open_.effects);
    Expect(status.ok() == held, "started is taken from the holder alone");
    return;
  }
  if (handler.told.has_value() && connected) return Heed(executor, task, handler);
  if (handler.paused && Chance(90)) return;  // Else it ignores it.
  const uint64_t kind = Pick(100);
  if (kind < 10) {
    if (connected) {
      (void)engine_->Progress(executor.connection, task, handler.dispatch, 0.5, "half", now_,
                              open_.effects);
    }
  } else if (kind < 65) {
    handler.put = Put(task, handler.dispatch);
    if (handler.put && connected && Chance(80)) return Acknowledge(executor, task);
    if (!handler.put) Nack(executor, task, {.dispatch = handler.dispatch});
  } else if (connected) {
    Nack(executor, task, handler);
  }
}

void EngineWalk::Heed(Executor& executor, const TaskId& task, Handler& handler) {
  const HandlerMessage told = *std::exchange(handler.told, std::nullopt);
  handler.paused = told.action != HandlerAction::kResume;
  const auto before = engine_->Find(task);
  const bool held = before.has_value() && before->session == executor.session &&
                    before->dispatch == handler.dispatch;
  const auto status = engine_->HandlerStatus(executor.connection,
                                             {task, handler.dispatch, told.number, handler.paused},
                                             now_, open_.effects);
  Expect(status.ok() == held, "a handler's state is taken from the holder alone");
  if (!held) return;
  const TaskState after = engine_->Find(task)->state;
  if (after == before->state) return;
  Expect(after == (handler.paused ? TaskState::kPaused : TaskState::kRunning) ||
             after == TaskState::kLeased,
         "a confirmed pause is one");
  ++counts_[handler.paused ? "handler paused" : "handler resumed"];
}

void EngineWalk::Acknowledge(Executor& executor, const TaskId& task) {
  const uint32_t dispatch = executor.handlers.at(task).dispatch;
  engine_->Finished(task, dispatch, now_, open_.effects);
  open_.on_commit.push_back([&executor, task, dispatch] {
    const auto handler = executor.handlers.find(task);
    if (handler != executor.handlers.end() && handler->second.dispatch == dispatch) {
      executor.handlers.erase(handler);
    }
  });
}

void EngineWalk::Nack(Executor& executor, const TaskId& task, const Handler& handler) {
  constexpr std::array kKinds = {NackKind::kFailed, NackKind::kFailedFinally, NackKind::kReturned,
                                 NackKind::kCancelled};
  const NackKind kind = handler.cancelled  ? NackKind::kCancelled
                        : !handler.started ? NackKind::kReturned
                        : Chance(5)        ? kKinds[1]
                                           : kKinds[Pick(2) * 2];
  if (executor.connection != 0) {
    (void)engine_->Nack(executor.connection,
                        {task, handler.dispatch, kind, {"HANDLER_FAILED", "it did"}}, now_,
                        open_.effects);
  }
  executor.handlers.erase(task);
}

void EngineWalk::Lie(Executor& executor) {
  const auto task = AnyTask();
  if (!task.has_value() || executor.connection == 0) return;
  const auto view = engine_->Find(*task);
  const auto dispatch = static_cast<uint32_t>(Pick(4));
  if (view.has_value() && view->session == executor.session && view->dispatch == dispatch) return;
  ++counts_["refused lie"];
  const auto started = engine_->Started(executor.connection, *task, dispatch, now_, open_.effects);
  const auto nack = engine_->Nack(executor.connection, {*task, dispatch, NackKind::kFailedFinally},
                                  now_, open_.effects);
  const auto progress =
      engine_->Progress(executor.connection, *task, dispatch, 1, "", now_, open_.effects);
  Expect(!started.ok() && !nack.ok() && !progress.ok(), "a liar is refused");
  const auto after = engine_->Find(*task);
  Expect(
      after.has_value() == view.has_value() &&
          (!view.has_value() || (after->state == view->state && after->session == view->session &&
                                 after->failed_attempts == view->failed_attempts)),
      "a refused lie changes nothing");
}

}  // namespace kantoku::inputs::testing
