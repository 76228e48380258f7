#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

TEST_CASE("A task is dispatched again only when its last dispatch is closed") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  const Effects& asked = world.EndGroup();
  REQUIRE(asked.fences.size() == 1);
  CHECK(asked.fences[0].task == task);
  CHECK(asked.fences[0].name_space == "default");
  CHECK(asked.fences[0].owner == "local");
  world.Pass(absl::Hours(1));
  CHECK(world.EndGroup().dispatches.empty());
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("An answer that comes twice dispatches once") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.size() == 1);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.empty());
  world.Nack(task, 2, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.Pass(absl::Minutes(1));
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(task).cause == WaitCause::kFence);
}

TEST_CASE("An answer about a dispatch that never was changes nothing") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 9);
  CHECK(world.EndGroup().dispatches.empty());
  world.AnswerFence(TaskId(), 1);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("An answer that tells a result ends the task in whatever state it is") {
  EngineWorld world;
  const int state = GENERATE(0, 1, 2);
  const TaskId task = world.DoRun();
  if (state > 0) world.Nack(task, 1, NackKind::kReturned);
  if (state > 1) {  // Queued for its next dispatch.
    world.engine->SetCredit(world.connection, 0);
    world.AnswerFence(task, 1);
  }
  world.EndGroup();
  world.AnswerFence(task, 1, TaskState::kSucceeded);
  world.EndGroup();
  REQUIRE(world.Ended(task).has_value());
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
  CHECK(world.engine->pending() == 0);
  world.engine->SetCredit(world.connection, 10);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.records.groups.empty());
  CHECK(world.SessionViewOf(1)->held == 0);
  CHECK(world.DoSpawn() != task);
  CHECK(world.last.dispatches.size() == 1);
}

TEST_CASE("The end that Outputs tells wins over the one that was intended") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kFailedFinally);
  world.EndGroup();
  world.AnswerFence(task, 1, TaskState::kSucceeded);
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
  CHECK(world.records.specs.empty());
}

TEST_CASE("A plain answer does not end what is settling") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  REQUIRE(world.Cancel(task).ok());
  const Effects& effects = world.EndGroup();
  CHECK(effects.fences.size() == 2);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.StateOf(task) == TaskState::kSettling);
  world.AnswerFence(task, 1, TaskState::kCancelled);
  CHECK(world.engine->pending() == 0);
}

TEST_CASE("A late receipt of an earlier dispatch ends the task and stops its successor") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.EndGroup();
  world.engine->Finished(task, 1, world.now, world.effects);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.controls.size() == 1);
  CHECK(effects.controls[0].dispatch == 2);
  CHECK(effects.controls[0].action == HandlerAction::kRevoke);
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
}

}  // namespace
}  // namespace kantoku::inputs::testing
