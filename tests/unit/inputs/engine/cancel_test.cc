#include <array>

#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;

// Settles at once, and ends with Outputs' answer.
void ExpectCancelled(EngineWorld& world, const TaskId& task, uint32_t dispatch) {
  CHECK(world.StateOf(task) == TaskState::kSettling);
  REQUIRE(world.EndGroup().fences.size() == 1);
  REQUIRE(world.last.fences[0].settlement.has_value());
  CHECK(world.last.fences[0].settlement->end == TaskState::kCancelled);
  CHECK(world.last.fences[0].dispatch == dispatch);
  world.Pass(absl::Hours(1));
  CHECK(world.EndGroup().dispatches.empty());
  world.AnswerFence(task, dispatch, TaskState::kCancelled);
  world.EndGroup();
  REQUIRE(world.Ended(task).has_value());
  CHECK(world.Ended(task)->state == TaskState::kCancelled);
  CHECK(world.engine->pending() == 0);
}

TEST_CASE("A task that waits is cancelled at once, whatever it waits for") {
  EngineWorld world;
  SECTION("an executor") {
    const TaskId task = world.DoSpawn();
    CHECK(*world.Cancel(task) == TaskState::kSettling);
    world.Open(1, 10);
    ExpectCancelled(world, task, 0);
  }
  SECTION("its time") {
    TaskSpec spec = Spec();
    spec.not_before = world.now.wall + Seconds(10);
    const TaskId task = world.DoSpawn(spec);
    CHECK(*world.Cancel(task) == TaskState::kSettling);
    world.Open(1, 10);
    ExpectCancelled(world, task, 0);
  }
  SECTION("its backoff") {
    const TaskId task = world.DoRun();
    world.Nack(task, 1, NackKind::kFailed);
    world.AnswerFence(task, 1);
    world.EndGroup();
    CHECK(*world.Cancel(task) == TaskState::kSettling);
    ExpectCancelled(world, task, 1);
  }
  SECTION("its fence") {
    const TaskId task = world.DoRun();
    world.Nack(task, 1, NackKind::kReturned);
    world.EndGroup();
    CHECK(*world.Cancel(task) == TaskState::kSettling);
    ExpectCancelled(world, task, 1);
  }
}

TEST_CASE("Cancelled tasks leave the queue of their lane to the others") {
  EngineWorld world;
  std::array<TaskId, 300> tasks;
  for (TaskId& task : tasks) task = world.Spawn({Spec()})->items[0].id;
  for (int i = 0; i < 300; ++i) {
    if (i % 3 != 0) CHECK(world.Cancel(tasks[i]).ok());
  }
  world.Open(1, 1'000);
  CHECK(world.EndGroup().dispatches.size() == 100);
}

TEST_CASE("A held task is cancelled by its executor, begun or not") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn();
  const bool begun = GENERATE(false, true);
  if (begun) CHECK(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  CHECK(*world.Cancel(task) == TaskState::kCancelling);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.controls.size() == 1);
  CHECK(effects.controls[0].action == HandlerAction::kCancel);
  CHECK(effects.fences.empty());
  CHECK(effects.states[0].record->cancel_requested);
  CHECK(world.Events(EventType::kTaskCancelling) == 1);
  const NackKind kind = GENERATE(NackKind::kCancelled, NackKind::kReturned, NackKind::kFailed);
  world.Nack(task, 1, kind);
  ExpectCancelled(world, task, 1);
}

TEST_CASE("An executor that does not confirm in time is overruled") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  world.Pass(Seconds(30));
  world.EndGroup();
  REQUIRE(world.last.controls.size() == 1);
  CHECK(world.last.controls[0].action == HandlerAction::kRevoke);
  CHECK(world.StateOf(task) == TaskState::kSettling);
}

TEST_CASE("The start of a cancelled handler gives it no more time") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn();
  REQUIRE(world.Cancel(task).ok());
  world.Pass(Seconds(29));
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  CHECK(world.StateOf(task) == TaskState::kCancelling);
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kSettling);
}

TEST_CASE("A handler that succeeds all the same has succeeded") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(world.Cancel(task).ok());
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
}

TEST_CASE("Cancelling twice is cancelling once") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(*world.Cancel(task) == TaskState::kCancelling);
  CHECK(*world.Cancel(task) == TaskState::kCancelling);
  world.EndGroup();
  CHECK(world.last.controls.size() == 1);
  world.Nack(task, 1, NackKind::kCancelled);
  CHECK(*world.Cancel(task) == TaskState::kSettling);
  CHECK(world.EndGroup().fences.size() == 1);
}

TEST_CASE("Cancel of a task that fails at this moment keeps the failure") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.Nack(task, 1, NackKind::kFailedFinally);
  CHECK(*world.Cancel(task) == TaskState::kSettling);
  REQUIRE(world.EndGroup().fences.size() == 1);
  CHECK(world.last.fences[0].settlement->end == TaskState::kFailed);
}

TEST_CASE("What has ended or never was cannot be cancelled") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.engine->Finished(task, 1, world.now, world.effects);
  CHECK(Reason(world.Cancel(task)) == "NO_SUCH_TASK");
  CHECK(world.Cancel(TaskId()).status().code() == absl::StatusCode::kNotFound);
  // Another id with the same key: a guess.
  const TaskId next = world.DoSpawn();
  const TaskId guess = TaskId::Make(next.time(), next.slot(), next.sequence(), 12345);
  CHECK(Reason(world.Cancel(guess)) == "NO_SUCH_TASK");
}

TEST_CASE("A cancel meets the executor when it comes back, and its end when it does not") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  world.EndGroup();
  CHECK(*world.Cancel(task) == TaskState::kCancelling);
  CHECK(world.EndGroup().controls.empty());
  SECTION("it comes back") {
    const bool after_crash = GENERATE(false, true);
    if (after_crash) world.Crash();
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
    REQUIRE(world.EndGroup().controls.size() == 1);
    CHECK(world.last.controls[0].action == HandlerAction::kCancel);
    CHECK(world.StateOf(task) == TaskState::kCancelling);
    world.Pass(Seconds(30));
    world.EndGroup();
    CHECK(world.StateOf(task) == TaskState::kSettling);
  }
  SECTION("it does not") {
    world.Pass(Seconds(20));
    world.EndGroup();
    CHECK(world.StateOf(task) == TaskState::kSettling);
    CHECK(world.last.fences.size() == 1);
  }
  SECTION("it comes back without the task") {
    world.Open(1, 10);
    ExpectCancelled(world, task, 1);
  }
}

}  // namespace
}  // namespace kantoku::inputs::testing
