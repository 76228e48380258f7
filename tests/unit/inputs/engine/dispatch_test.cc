#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Hours;
using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;

std::vector<std::string> TypesOf(const Effects& effects) {
  std::vector<std::string> types;
  for (const auto& message : effects.dispatches) types.emplace_back(message.type);
  return types;
}

TEST_CASE("A dispatch says what the executor needs and is recorded once for its group") {
  EngineWorld world;
  world.Open(1, 10);
  const auto spawned = world.Spawn({Spec(), Spec()});
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.dispatches.size() == 2);
  const DispatchMessage& message = effects.dispatches[0];
  CHECK(message.connection == world.connection);
  CHECK(message.task == spawned->items[0].id);
  CHECK(message.dispatch == 1);
  CHECK(message.attempt == 1);
  CHECK(message.session == SessionOf(1));
  CHECK(message.holder == Caller{"local", "local"});
  CHECK(message.name_space == "default");
  CHECK(message.owner == "local");
  CHECK(message.timeout_ms == 3'600'000);
  CHECK(message.retention_s == 86'400);
  REQUIRE(effects.groups.size() == 1);
  CHECK(effects.groups[0].record->entries.size() == 2);
  CHECK(effects.states.empty());
  CHECK(world.Events(EventType::kTaskReceived) == 2);
  CHECK(world.View(spawned->items[1].id).cause == WaitCause::kExecutorQueue);
}

TEST_CASE("The row of a dispatch group goes with the last of its dispatches") {
  EngineWorld world;
  world.Open(1, 10);
  const auto spawned = world.Spawn({Spec(), Spec()});
  world.EndGroup();
  world.engine->Finished(spawned->items[1].id, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.records.groups.size() == 1);
  world.engine->Finished(spawned->items[0].id, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.records.groups.empty());
}

TEST_CASE("Higher priority goes first, equal ones in the order of their spawn") {
  EngineWorld world;
  const auto spawned =
      world.Spawn({Spec("work", 0), Spec("work", -1), Spec("work", 5), Spec("work", 0)});
  world.EndGroup();
  world.Open(1, 10);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.dispatches.size() == 4);
  std::vector<TaskId> order;
  for (const auto& message : effects.dispatches) order.push_back(message.task);
  CHECK(order == std::vector<TaskId>{spawned->items[2].id, spawned->items[0].id,
                                     spawned->items[3].id, spawned->items[1].id});
}

TEST_CASE("A task that comes back goes before those spawned after it") {
  EngineWorld world;
  const TaskId first = world.DoRun();
  world.engine->SetCredit(world.connection, 1);
  const TaskId second = world.DoSpawn();
  world.engine->SetCredit(world.connection, 0);
  world.Nack(first, 1, NackKind::kReturned);
  world.AnswerFence(first, 1);
  world.engine->SetCredit(world.connection, 1);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.dispatches.size() == 1);
  CHECK(effects.dispatches[0].task == first);
  CHECK(world.StateOf(second) == TaskState::kReady);
}

TEST_CASE("A session never holds more than its credit") {
  EngineWorld world({.max_session_credit = 4});
  REQUIRE(world.Spawn(std::vector<TaskSpec>(20, Spec())).ok());
  world.Open(1, 2);
  CHECK(world.EndGroup().dispatches.size() == 2);
  CHECK(world.EndGroup().dispatches.empty());
  SECTION("more credit brings more, up to the cap") {
    world.engine->SetCredit(world.connection, 1'000);
    CHECK(world.EndGroup().dispatches.size() == 2);
    CHECK(world.SessionViewOf(1)->max_held == 4);
  }
  SECTION("what ends makes room") {
    const TaskId held = world.last.dispatches.empty() ? TaskId() : world.last.dispatches[0].task;
    CHECK(held.empty());
    std::optional<TaskKey> from;
    const auto leased =
        world.engine->List({"default", "", {TaskState::kLeased}, As()}, 1, 100, from);
    world.engine->Finished(leased[0].id, 1, world.now, world.effects);
    CHECK(world.EndGroup().dispatches.size() == 1);
  }
  SECTION("less credit takes nothing away and gives nothing until there is room") {
    world.engine->SetCredit(world.connection, 1);
    std::optional<TaskKey> from;
    const auto leased =
        world.engine->List({"default", "", {TaskState::kLeased}, As()}, 9, 100, from);
    REQUIRE(leased.size() == 2);
    world.engine->Finished(leased[0].id, 1, world.now, world.effects);
    CHECK(world.EndGroup().dispatches.empty());
    world.engine->Finished(leased[1].id, 1, world.now, world.effects);
    CHECK(world.EndGroup().dispatches.size() == 1);
  }
}

TEST_CASE("Sessions of one type take turns") {
  EngineWorld world;
  for (const uint8_t session : {1, 2, 3}) world.Open(session, 10);
  REQUIRE(world.Spawn(std::vector<TaskSpec>(9, Spec())).ok());
  world.EndGroup();
  for (const uint8_t session : {1, 2, 3}) CHECK(world.SessionViewOf(session)->held == 3);
}

TEST_CASE("A busy type does not starve another") {
  EngineWorld world;
  REQUIRE(world.Spawn(std::vector<TaskSpec>(500, Spec("busy"))).ok());
  REQUIRE(world.Spawn({Spec("rare")}).ok());
  world.Open(1, 200, {}, {"busy", "rare"});
  const auto types = TypesOf(world.EndGroup());
  CHECK(types.size() == 200);
  CHECK(std::ranges::count(types, "rare") == 1);
}

// What is done to them at once then lies together in the records, as they came.
TEST_CASE("Types take turns of few tasks, so that tasks go in about the order in which they came") {
  EngineWorld world;
  std::vector<TaskSpec> specs;
  for (int i = 0; i < 60; ++i) {
    specs.push_back(Spec("even"));
    specs.push_back(Spec("odd"));
  }
  REQUIRE(world.Spawn(std::move(specs)).ok());
  world.Open(1, 60, {}, {"even", "odd"});
  const auto types = TypesOf(world.EndGroup());
  REQUIRE(types.size() == 60);
  int ahead = 0;
  for (const std::string& type : types) {
    ahead += type == "even" ? 1 : -1;
    CHECK(std::abs(ahead) <= 8);
  }
}

TEST_CASE("A session gets only types that it implements, a type named twice counts once") {
  EngineWorld world;
  world.Open(1, 1, {}, {"a", "a"});
  world.Open(2, 100, {}, {"a"});
  REQUIRE(world.Spawn({Spec("b"), Spec("a"), Spec("a"), Spec("a")}).ok());
  CHECK(TypesOf(world.EndGroup()) == std::vector<std::string>(3, "a"));
  CHECK(world.SessionViewOf(1)->held == 1);
}

TEST_CASE("A delayed task waits for its wall time, and the engine says when to wake") {
  EngineWorld world;
  world.Open(1, 10);
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Seconds(30);
  const TaskId task = world.DoSpawn(spec);
  CHECK(world.StateOf(task) == TaskState::kScheduled);
  CHECK(world.View(task).cause == WaitCause::kDelay);
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Seconds(30));
  world.Pass(Seconds(29));
  CHECK(world.EndGroup().dispatches.empty());
  SECTION("steady time alone does not end it") {
    world.now.steady += Hours(1);
    CHECK(world.EndGroup().dispatches.empty());
  }
  world.now.wall += Seconds(1);
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("A wall clock that jumps is looked at again within a minute") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Hours(100);
  world.DoSpawn(spec);
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Minutes(1));
}

TEST_CASE("Idle needs no waking") {
  EngineWorld world;
  CHECK(world.engine->NextWake(world.now) == absl::InfiniteDuration());
}

TEST_CASE("A dispatch that does not begin in time is recalled and costs no attempt") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn();
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Minutes(1));
  world.Pass(Minutes(1));
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.controls.size() == 1);
  CHECK(effects.controls[0].action == HandlerAction::kRevoke);
  CHECK(effects.controls[0].reason == "START_TIMEOUT");
  REQUIRE(effects.fences.size() == 1);
  CHECK(effects.fences[0].dispatch == 1);
  CHECK_FALSE(effects.fences[0].settlement.has_value());
  CHECK(world.View(task).failed_attempts == 0);
  CHECK(world.View(task).cause == WaitCause::kFence);
}

TEST_CASE("Held dispatches get new lease tokens every so often") {
  EngineWorld world({.start_timeout = Hours(1), .renew_interval = Minutes(15)});
  world.Open(1, 2);
  world.Open(2, 0);
  REQUIRE(world.Spawn({Spec(), Spec(), Spec()}).ok());
  world.EndGroup();
  world.Pass(Minutes(15));
  CHECK(world.EndGroup().renewals.size() == 2);
  CHECK(world.EndGroup().renewals.empty());
  world.Pass(Minutes(15));
  CHECK(world.EndGroup().renewals.size() == 2);
}

TEST_CASE("Lease tokens, which end by wall time, are renewed at once when the clock was set") {
  const absl::Duration jump = GENERATE(Hours(24 * 365), -Hours(2));
  EngineWorld world({.start_timeout = Hours(1)});
  world.Open(1, 1);
  world.DoSpawn();
  world.now.wall += jump;
  CHECK(world.engine->NextWake(world.now) <= world.now.steady + Minutes(1));
  CHECK(world.EndGroup().renewals.size() == 1);
  CHECK(world.EndGroup().renewals.empty());
  world.now.wall += Seconds(30);  // As a clock that is corrected little by little.
  CHECK(world.EndGroup().renewals.empty());
  world.now.wall += Seconds(31);
  CHECK(world.EndGroup().renewals.size() == 1);
}

TEST_CASE("Only the holder reports on a dispatch, and only under its number") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const ConnectionId holder = world.connection;
  const ConnectionId other = world.Open(2, 10);
  Engine& engine = *world.engine;
  CHECK(Reason(engine.Started(other, task, 1, world.now, world.effects)) == "NOT_HELD");
  CHECK(Reason(engine.Started(holder + 7, task, 1, world.now, world.effects)) == "NOT_HELD");
  CHECK(Reason(engine.Started(holder, TaskId(), 1, world.now, world.effects)) == "NOT_HELD");
  CHECK(Reason(engine.Started(holder, task, 2, world.now, world.effects)) == "STALE_DISPATCH");
  const NackCommand nack{task, 1, NackKind::kFailedFinally, {"X", ""}};
  CHECK(Reason(engine.Nack(other, nack, world.now, world.effects)) == "NOT_HELD");
  CHECK(Reason(engine.Progress(other, task, 1, 0.5, "", world.now, world.effects)) == "NOT_HELD");
  CHECK(world.StateOf(task) == TaskState::kRunning);
}

void Report(EngineWorld& world, const TaskId& task, double fraction, const std::string& message) {
  const uint32_t dispatch = world.View(task).dispatch;
  const auto status = world.engine->Progress(world.connection, task, dispatch, fraction, message,
                                             world.now, world.effects);
  REQUIRE(Reason(status) == "OK");
}

TEST_CASE("A handler that reports all the time is told once a second, with the newest") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  size_t events = 0;
  size_t told = 0;
  for (int i = 0; i < 1'000; ++i) {  // Ten seconds.
    Report(world, task, i / 1'000.0, std::string(4'096, 'm'));
    Report(world, task, i / 1'000.0, "newest");
    CHECK(world.View(task).progress == static_cast<float>(i / 1'000.0));
    world.Pass(Milliseconds(10));
    for (const EventMessage& event : world.EndGroup().events) {
      REQUIRE(event.type == EventType::kTaskProgress);
      ++events;
      told += 1 + event.skipped;
      if (events > 1) CHECK(event.failure.message == "newest");
    }
  }
  CHECK(events >= 10);
  CHECK(events <= 11);
  Report(world, task, 1, "done");
  CHECK(world.engine->NextWake(world.now) <= world.now.steady + Seconds(1));
  world.Pass(Seconds(1));
  world.EndGroup();
  REQUIRE(world.Events(EventType::kTaskProgress) == 1);
  CHECK(world.last.events[0].progress == 1);
  told += 1 + world.last.events[0].skipped;
  CHECK(told == 2'001);  // Every report is an event or counted in one.
  world.Pass(Seconds(1));
  CHECK(world.EndGroup().events.empty());
}

TEST_CASE("Progress that waits to be told ends with its dispatch") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  Report(world, task, 0.1, "");
  Report(world, task, 0.2, "of the first");
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.EndGroup();
  REQUIRE(world.StateOf(task) == TaskState::kLeased);
  Report(world, task, 0.3, "");
  world.Pass(Milliseconds(500));
  Report(world, task, 0.4, "of the second");
  world.EndGroup();
  world.Pass(Milliseconds(500));
  CHECK(world.EndGroup().events.empty());
  world.Pass(Milliseconds(500));
  world.EndGroup();
  REQUIRE(world.Events(EventType::kTaskProgress) == 1);
  CHECK(world.last.events[0].failure.message == "of the second");
}

TEST_CASE("Progress is a fraction, and it is shown while the dispatch is held") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  for (const double bad : {-0.1, -0.0, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(Reason(world.engine->Progress(world.connection, task, 1, bad, "", world.now,
                                        world.effects)) == "BAD_PROGRESS");
  }
  Report(world, task, 0.5, "half");
  world.EndGroup();
  CHECK(world.View(task).progress == 0.5F);
  CHECK(world.Events(EventType::kTaskProgress) == 1);
  world.Nack(task, 1, NackKind::kReturned);
  CHECK(world.View(task).progress < 0);
}

TEST_CASE("A receipt ends the task as succeeded and drops its payload") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.engine->Finished(task, 1, world.now, world.effects);
  CHECK(world.engine->FindHistory(task.key()).has_value());
  world.EndGroup();
  const auto ended = world.Ended(task);
  REQUIRE(ended.has_value());
  CHECK(ended->state == TaskState::kSucceeded);
  CHECK(ended->ended_at == world.now.wall);
  CHECK(world.records.specs.empty());
  CHECK(world.records.history.contains(*world.engine->FindHistory(task.key())));
  CHECK(world.Events(EventType::kTaskFinished) == 1);
  CHECK(world.SessionViewOf(1)->held == 0);
  world.engine->Finished(task, 1, world.now, world.effects);
  CHECK(world.EndGroup().events.empty());
}

TEST_CASE("History leaves by age and by number, oldest first") {
  EngineWorld world({.history = Hours(1), .max_history = 2});
  world.Open(1, 10);
  std::vector<TaskId> tasks;
  for (int i = 0; i < 3; ++i) {
    tasks.push_back(world.DoSpawn());
    world.engine->Finished(tasks.back(), 1, world.now, world.effects);
    world.EndGroup();
  }
  CHECK_FALSE(world.engine->FindHistory(tasks[0].key()).has_value());
  CHECK(world.engine->FindHistory(tasks[1].key()).has_value());
  CHECK(world.records.history.size() == 2);
  world.Pass(Hours(1) + Seconds(1));
  world.EndGroup();
  CHECK(world.records.history.empty());
  CHECK(world.engine->history().size() == 0);
}

}  // namespace
}  // namespace kantoku::inputs::testing
