#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;

void Close(EngineWorld& world, ConnectionId connection) {
  world.engine->CloseConnection(connection, world.now, world.effects);
}

TEST_CASE("A session that comes back within its grace keeps what it presents") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  Close(world, world.connection);
  world.EndGroup();
  CHECK(world.Events(EventType::kExecutorDisconnected) == 1);
  world.Pass(Seconds(19));
  world.EndGroup();
  world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kKept});
  const Effects& effects = world.EndGroup();
  CHECK(effects.fences.empty());
  CHECK(effects.renewals.empty());  // The answer to hello has the token.
  const auto lease = world.engine->LeaseOf(task);
  REQUIRE(lease.has_value());
  CHECK(lease->connection == world.connection);
  CHECK(lease->dispatch == 1);
  world.Pass(Seconds(60));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
}

TEST_CASE("What a session omits is fenced and goes elsewhere at once, without costing an attempt") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  Close(world, world.connection);
  world.Open(1, 10);
  REQUIRE(world.EndGroup().fences.size() == 1);
  world.AnswerFence(task, 1);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.dispatches.size() == 1);
  CHECK(effects.dispatches[0].dispatch == 2);
  CHECK(effects.dispatches[0].attempt == 1);
}

TEST_CASE(
    "A grace that ends unresumed counts an attempt of what had started, and of nothing else") {
  EngineWorld world;
  const TaskId begun = world.DoRun();
  const TaskId waiting = world.DoSpawn();
  Close(world, world.connection);
  world.EndGroup();
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Seconds(20));
  world.Pass(Seconds(20));
  world.EndGroup();
  CHECK(world.Events(EventType::kExecutorLost) == 1);
  CHECK(world.last.fences.size() == 2);
  CHECK(world.View(begun).failed_attempts == 1);
  CHECK(world.View(begun).last_failure.reason == "EXECUTOR_LOST");
  CHECK(world.View(waiting).failed_attempts == 0);
  CHECK(world.records.sessions.empty());
  CHECK_FALSE(world.SessionViewOf(1).has_value());
  SECTION("its return after that is a new session that holds nothing") {
    world.Open(1, 10, {{.task = begun, .dispatch = 1, .started = true}});
    CHECK(world.verdicts == std::vector{HeldVerdict::kNotHeld});
  }
}

TEST_CASE("A session that holds nothing ends with its connection") {
  EngineWorld world;
  world.Open(1, 10);
  world.EndGroup();
  CHECK(world.records.sessions.size() == 1);
  Close(world, world.connection);
  world.EndGroup();
  CHECK(world.records.sessions.empty());
  CHECK(world.Events(EventType::kExecutorLost) == 0);
}

TEST_CASE("The newest connection of a session wins") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const ConnectionId old = world.connection;
  const ConnectionId fresh = world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
  REQUIRE(world.EndGroup().closes.size() == 1);
  CHECK(world.last.closes[0].connection == old);
  CHECK(platform::ReasonOf(world.last.closes[0].why) == "SUPERSEDED");
  CHECK(Reason(world.engine->Started(old, task, 1, world.now, world.effects)) == "NOT_HELD");
  world.engine->SetCredit(old, 0);
  Close(world, old);
  CHECK(world.SessionViewOf(1)->connected);
  CHECK(world.SessionViewOf(1)->max_held == 10);
  world.DoSpawn();
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK(world.last.dispatches[0].connection == fresh);
}

TEST_CASE("A session belongs to the caller and the namespace that opened it") {
  EngineWorld world;
  world.Open(1, 10);
  world.EndGroup();
  const bool after_crash = GENERATE(false, true);
  if (after_crash) {
    world.DoSpawn();
    world.Crash();
  }
  OpenSessionCommand command{.session = SessionOf(1),
                             .caller = {"mallory", "local"},
                             .name_space = "default",
                             .connection = 99};
  const auto other_subject = world.engine->OpenSession(command, world.now, world.effects);
  CHECK(other_subject.status().code() == absl::StatusCode::kPermissionDenied);
  CHECK(Reason(other_subject) == "FOREIGN_SESSION");
  command.caller = {"local", "local"};
  command.name_space = "other";
  CHECK(Reason(world.engine->OpenSession(command, world.now, world.effects)) == "FOREIGN_SESSION");
}

TEST_CASE("A session cannot take what another one holds by presenting it") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Open(2, 10,
             {{.task = task, .dispatch = 1, .started = true}, {.task = task, .dispatch = 2}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kNotHeld, HeldVerdict::kNotHeld});
  CHECK(world.View(task).session == SessionOf(1));
}

TEST_CASE("A receipt in hello finishes the task, held or forgotten") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  Close(world, world.connection);
  world.Pass(GENERATE(Seconds(1), Seconds(20)));
  world.EndGroup();
  const HeldDispatch held{.task = task, .dispatch = 1, .started = true, .finished = true};
  world.Open(1, 10, {held});
  CHECK(world.verdicts == std::vector{HeldVerdict::kFinished});
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
  world.Open(1, 10, {held});
  CHECK(world.verdicts == std::vector{HeldVerdict::kFinished});
}

TEST_CASE("A dispatch presented twice is kept once") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const HeldDispatch held{.task = task, .dispatch = 1, .started = true};
  HeldDispatch finished = held;
  finished.finished = true;
  world.Open(1, 10, {held, held, finished, held});
  CHECK(world.verdicts == std::vector{HeldVerdict::kKept, HeldVerdict::kKept,
                                      HeldVerdict::kFinished, HeldVerdict::kNotHeld});
  world.EndGroup();
  CHECK(world.SessionViewOf(1)->held == 0);
}

TEST_CASE("A session that calls a begun task not begun does not stop its timeout") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = 5'000;
  const TaskId task = world.DoRun(spec);
  world.Open(1, 10, {{.task = task, .dispatch = 1, .started = false}});
  world.EndGroup();
  world.Pass(Seconds(5));
  world.EndGroup();
  CHECK(world.View(task).last_failure.reason == "TIMEOUT");
}

TEST_CASE("A session that was lost gets no more tasks") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  Close(world, world.connection);
  world.DoSpawn();
  CHECK(world.last.dispatches.empty());
  world.engine->Finished(task, 1, world.now, world.effects);
  CHECK(world.EndGroup().dispatches.empty());
}

TEST_CASE("Types may change when a session comes back") {
  EngineWorld world;
  world.Open(1, 10, {}, {"a"});
  world.Open(1, 10, {}, {"b"});
  const TaskId a = world.DoSpawn(Spec("a"));
  CHECK(world.View(a).cause == WaitCause::kNoImplementation);
  const TaskId b = world.DoSpawn(Spec("b"));
  CHECK(world.StateOf(b) == TaskState::kLeased);
  CHECK(world.SessionViewOf(1)->types == std::vector<std::string>{"b"});
}

TEST_CASE("A session that names too many types is refused") {
  EngineWorld world({.max_types = 2});
  world.DoSpawn(Spec("a"));
  const std::vector<std::string> types = {"a", "b", "c"};
  const auto open = [&] {
    return world.engine->OpenSession({.session = SessionOf(1),
                                      .name_space = "default",
                                      .types = types,
                                      .max_held = 1,
                                      .connection = 77},
                                     world.now, world.effects);
  };
  const auto refused = open();
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(refused) == "TYPE_LIMIT");
  CHECK_FALSE(world.SessionViewOf(1).has_value());
}

TEST_CASE("A type stays as long as a session takes its tasks, and comes back when it is wanted") {
  EngineWorld world({.idle_names = 0});
  world.Open(1, 1, {}, {"a type that is only implemented"});
  for (int i = 0; i < 3; ++i) world.EndGroup();
  const TaskId task = world.DoSpawn(Spec("a type that is only implemented"));
  CHECK(world.StateOf(task) == TaskState::kLeased);
  world.engine->Finished(task, 1, world.now, world.effects);
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  for (int i = 0; i < 3; ++i) world.EndGroup();
  const TaskId again = world.DoSpawn(Spec("a type that is only implemented"));
  CHECK(world.View(again).cause == WaitCause::kNoImplementation);
  CHECK(world.View(again).type == "a type that is only implemented");
}

TEST_CASE("A hello that was overtaken by a later one of its session changes nothing") {
  EngineWorld world;
  const auto open = [&](ConnectionId connection, uint64_t order,
                        const std::vector<HeldDispatch>& held = {}) {
    const std::vector<std::string> types = {"work"};
    return world.engine->OpenSession({.session = SessionOf(1),
                                      .caller = {"local", "local"},
                                      .name_space = "default",
                                      .types = types,
                                      .held = held,
                                      .max_held = 10,
                                      .order = order,
                                      .connection = connection},
                                     world.now, world.effects);
  };
  REQUIRE(open(101, 1).ok());
  const TaskId task = world.DoSpawn();
  REQUIRE(open(103, 3, {{.task = task, .dispatch = 1}}).ok());
  const auto late = open(102, 2);
  CHECK(late.status().code() == absl::StatusCode::kAborted);
  CHECK(Reason(late) == "STALE_CONNECTION");
  CHECK(world.StateOf(task) == TaskState::kLeased);
  CHECK(Reason(world.engine->Started(103, task, 1, world.now, world.effects)) == "OK");
  // Who does not say, or comes after a restart, is the newest.
  CHECK(open(104, 0, {{.task = task, .dispatch = 1, .started = true}}).ok());
  world.EndGroup();
  world.Crash();
  CHECK(open(105, 2, {{.task = task, .dispatch = 1, .started = true}}).ok());
}

}  // namespace
}  // namespace kantoku::inputs::testing
