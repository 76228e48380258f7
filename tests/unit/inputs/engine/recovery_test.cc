#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;

TEST_CASE("Tasks that waited wait again after a crash") {
  EngineWorld world;
  TaskSpec later = Spec();
  later.not_before = world.now.wall + Seconds(30);
  const TaskId ready = world.DoSpawn(Spec("work", 7));
  const TaskId scheduled = world.DoSpawn(later);
  world.Crash();
  CHECK(world.StateOf(scheduled) == TaskState::kScheduled);
  CHECK(world.View(ready).priority == 7);
  world.Open(1, 10);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].dispatch == 1);
  world.Pass(Seconds(30));
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("A restart runs nothing twice when executors come back within the grace") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Crash();
  world.EndGroup();
  CHECK(world.last.fences.empty());
  world.Pass(Seconds(19));
  world.EndGroup();
  world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kKept});
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.records.groups.empty());
}

TEST_CASE("A restart costs no attempt of a task whose executor stays away") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Crash();
  world.EndGroup();
  world.Pass(Seconds(20));
  world.EndGroup();
  REQUIRE(world.last.fences.size() == 1);
  CHECK(world.View(task).failed_attempts == 0);
  CHECK(world.records.sessions.empty());
  world.Open(2, 10);
  world.Redeliver(task, 1);
  CHECK(world.View(task).dispatch == 2);
  CHECK(world.View(task).session == SessionOf(2));
}

TEST_CASE("READY tasks flow during the grace after a restart") {
  EngineWorld world;
  world.DoRun();
  world.engine->SetCredit(world.connection, 0);
  const TaskId waiting = world.DoSpawn();
  world.Crash();
  world.Open(2, 10);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].task == waiting);
}

TEST_CASE("A dispatch whose group was lost never was") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  world.Open(1, 10);
  world.engine->FinishGroup(world.now, world.effects);
  CHECK(world.effects.dispatches.size() == 1);
  world.Crash();
  CHECK(world.View(task).dispatch == 0);
  world.Open(1, 10, {{.task = task, .dispatch = 1}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kNotHeld});
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("Open fences are asked again, and nothing is dispatched before their answer") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  const bool answered = GENERATE(false, true);
  world.EndGroup();
  world.engine->SetCredit(world.connection, 0);
  if (answered) world.AnswerFence(task, 1);
  world.EndGroup();
  world.Crash();
  world.Open(1, 10);
  REQUIRE(world.EndGroup().fences.size() == 1);
  CHECK(world.last.fences[0].dispatch == 1);
  CHECK(world.last.dispatches.empty());
  world.AnswerFence(task, 1);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].dispatch == 2);
}

TEST_CASE("A task that was settling asks for the same end again") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kFailedFinally);
  world.EndGroup();
  world.Crash();
  CHECK(world.StateOf(task) == TaskState::kSettling);
  REQUIRE(world.EndGroup().fences.size() == 1);
  REQUIRE(world.last.fences[0].settlement.has_value());
  CHECK(world.last.fences[0].settlement->end == TaskState::kFailed);
  CHECK(world.last.fences[0].settlement->failure.reason == "HANDLER_FAILED");
  CHECK(world.last.fences[0].dispatch == 1);
  world.AnswerFence(task, 1, TaskState::kFailed);
  world.EndGroup();
  CHECK(world.Ended(task)->failed_attempts == 1);
}

TEST_CASE("Attempts, failure and backoff survive a crash") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  world.Crash();
  world.AnswerFence(task, 1);
  const TaskView view = world.View(task);
  CHECK(view.failed_attempts == 1);
  CHECK(view.dispatch == 1);
  CHECK(view.last_failure.message == "message");
  world.Open(1, 10);
  world.Pass(Seconds(1));
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].attempt == 2);
}

TEST_CASE("The newest dispatch counts when older group rows are still there") {
  EngineWorld world;
  world.Open(1, 10);
  const auto spawned = world.Spawn({Spec(), Spec()});
  const TaskId task = spawned->items[0].id;
  world.EndGroup();
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.EndGroup();
  CHECK(world.records.groups.size() == 2);
  world.Crash();
  CHECK(world.View(task).dispatch == 2);
  CHECK(world.SessionViewOf(1)->held == 2);
  world.Open(1, 10, {{.task = task, .dispatch = 1}, {.task = task, .dispatch = 2}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kNotHeld, HeldVerdict::kKept});
  world.EndGroup();
  world.engine->Finished(task, 2, world.now, world.effects);
  world.Pass(Seconds(1));
  world.AnswerFence(spawned->items[1].id, 1, TaskState::kSucceeded);
  world.EndGroup();
  CHECK(world.records.groups.empty());
}

TEST_CASE("History and what is dead are known after a crash, and do not live") {
  EngineWorld world;
  const TaskId good = world.DoRun();
  const TaskId bad = world.DoSpawn();
  world.engine->Finished(good, 1, world.now, world.effects);
  world.Nack(bad, 1, NackKind::kFailedFinally);
  world.AnswerFence(bad, 1, TaskState::kFailed);
  world.EndGroup();
  world.Crash();
  CHECK(world.engine->pending() == 0);
  CHECK(world.engine->FindHistory(good.key()).has_value());
  CHECK(world.engine->FindDead(bad.key()).has_value());
  const TaskId next = world.DoRun();
  world.engine->Finished(next, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.engine->FindHistory(next.key()) > world.engine->FindHistory(good.key()));
}

TEST_CASE("Crashing over and over changes nothing") {
  EngineWorld world;
  const TaskId held = world.DoRun();
  world.engine->SetCredit(world.connection, 1);
  const TaskId waiting = world.DoSpawn(Referenced("r"));
  for (int i = 0; i < 5; ++i) {
    world.Crash();
    world.EndGroup();
  }
  CHECK(world.View(held).session == SessionOf(1));
  CHECK(world.View(held).dispatch == 1);
  CHECK(world.StateOf(waiting) == TaskState::kReady);
  CHECK(world.records.references.size() == 1);
  CHECK(world.records.groups.size() == 1);
}

TEST_CASE("A dispatch whose session is unknown is closed, and its number not used again") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.records.sessions.clear();
  world.Crash();
  world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
  CHECK(world.verdicts == std::vector{HeldVerdict::kNotHeld});
  REQUIRE(world.EndGroup().fences.size() == 1);
  world.AnswerFence(task, 1);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].dispatch == 2);
}

}  // namespace
}  // namespace kantoku::inputs::testing
