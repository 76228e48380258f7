#include "tests/unit/inputs/engine/engine_world.h"

// Effect ONCE: a handler begins at most once.
namespace kantoku::inputs::testing {
namespace {

using absl::Minutes;
using absl::Seconds;

TaskSpec Once() {
  TaskSpec spec = Spec();
  spec.effect = Effect::kOnce;
  spec.retry = {.max_attempts = 1};
  return spec;
}

bool Start(EngineWorld& world, const TaskId& task, uint32_t dispatch = 1) {
  REQUIRE(Reason(world.engine->Started(world.connection, task, dispatch, world.now,
                                       world.effects)) == "OK");
  world.EndGroup();
  return !world.last.starts.empty();
}

void CheckFailsAs(const EngineWorld& world, const TaskId& task, const std::string& reason) {
  CHECK(world.StateOf(task) == TaskState::kSettling);
  REQUIRE(world.last.fences.size() == 1);
  REQUIRE(world.last.fences[0].settlement.has_value());
  CHECK(world.last.fences[0].settlement->end == TaskState::kFailed);
  CHECK(world.last.fences[0].settlement->failure.reason == reason);
}

// Whatever happens, and for however long, the task is not dispatched a second time.
void CheckNeverAgain(EngineWorld& world, const TaskId& task) {
  world.Open(2, 10);
  for (int i = 0; i < 10; ++i) {
    world.AnswerFence(task, 1);
    CHECK(world.EndGroup().dispatches.empty());
    world.Pass(Minutes(10));
  }
}

TEST_CASE("A ONCE task says at its dispatch that its start is to be confirmed, others do not") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId once = world.DoSpawn(Once());
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK(world.last.dispatches[0].confirm_start);
  CHECK(world.engine->LeaseOf(once)->confirm_start);
  world.DoSpawn();
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK_FALSE(world.last.dispatches[0].confirm_start);
}

TEST_CASE("A ONCE task's start is recorded in the commit that confirms it") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(Start(world, task));
  CHECK(world.last.starts[0].connection == world.connection);
  CHECK(world.last.starts[0].task == task);
  CHECK(world.last.starts[0].dispatch == 1);
  REQUIRE(world.last.states.size() == 1);
  CHECK(world.last.states[0].record->once_begun);
  CHECK(world.StateOf(task) == TaskState::kRunning);

  SECTION("and confirmed again when it is reported again, with nothing to record") {
    REQUIRE(Start(world, task));
    CHECK(world.last.states.empty());
    CHECK(world.last.events.empty());
  }
}

TEST_CASE("The start of another task needs no confirmation and no record") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn();
  CHECK_FALSE(Start(world, task));
  CHECK(world.last.states.empty());
}

TEST_CASE("A ONCE task that is lost before its start was recorded goes to another executor") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  SECTION("with its executor") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.Pass(Seconds(20));
  }
  SECTION("handed back") { world.Nack(task, 1, NackKind::kReturned); }
  SECTION("not begun in time") { world.Pass(Minutes(1)); }
  SECTION("omitted in a hello") { world.Open(1, 0); }
  SECTION("by a crash that loses the start") {
    REQUIRE(Reason(world.engine->Started(world.connection, task, 1, world.now, world.effects)) ==
            "OK");
    world.Crash();
    world.EndGroup();
    world.Pass(Seconds(20));
  }
  world.EndGroup();
  world.AnswerFence(task, 1);
  world.Open(2, 10);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].dispatch == 2);
  CHECK(world.View(task).failed_attempts == 0);
}

TEST_CASE("A ONCE task that is lost after its start was recorded fails with UNKNOWN_OUTCOME") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(Start(world, task));
  SECTION("with its executor") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.Pass(Seconds(20));
  }
  SECTION("handed back") { world.Nack(task, 1, NackKind::kReturned); }
  SECTION("omitted in a hello") { world.Open(1, 0); }
  SECTION("with a receipt that proves nothing") {
    world.engine->Disproved(world.connection, task, 1, world.now, world.effects);
  }
  SECTION("over a crash, without its executor") {
    world.Crash();
    world.EndGroup();
    world.Pass(Seconds(20));
  }
  SECTION("over a crash, by an executor that says that it did not begin, and does not") {
    world.Crash();
    world.Open(1, 0, {{.task = task, .dispatch = 1}});
    world.EndGroup();
    world.Pass(Minutes(1));
  }
  world.EndGroup();
  CheckFailsAs(world, task, "UNKNOWN_OUTCOME");
  CHECK(world.View(task).failed_attempts == 1);
  CheckNeverAgain(world, task);
}

TEST_CASE("A ONCE task that fails or takes too long is not tried again") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(Start(world, task));
  std::string reason;
  SECTION("a failure") {
    reason = "NO_SUCH_FILE";
    world.Nack(task, 1, NackKind::kFailed, reason);
  }
  SECTION("a timeout") {
    reason = "TIMEOUT";
    world.Pass(absl::Hours(1));
  }
  world.EndGroup();
  CheckFailsAs(world, task, reason);
  CheckNeverAgain(world, task);
}

TEST_CASE("A ONCE task whose executor comes back goes on, and its result counts") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(Start(world, task));
  const bool crash = GENERATE(false, true);
  if (crash) world.Crash();
  SECTION("having begun") {
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
    world.EndGroup();
  }
  SECTION("having missed the confirmation") {
    world.Open(1, 10, {{.task = task, .dispatch = 1}});
    world.EndGroup();
    REQUIRE(Start(world, task));
  }
  CHECK(world.verdicts == std::vector{HeldVerdict::kKept});
  CHECK(world.StateOf(task) == TaskState::kRunning);
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
}

TEST_CASE("A result that Outputs has already beats the unknown outcome") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(Start(world, task));
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  world.Pass(Seconds(20));
  world.EndGroup();
  world.AnswerFence(task, 1, TaskState::kSucceeded);
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
}

TEST_CASE("The start of a ONCE task that is to be cancelled is not confirmed") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Once());
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  CHECK_FALSE(Start(world, task));
  CHECK(world.last.states.empty());
  world.Nack(task, 1, NackKind::kCancelled);
  world.EndGroup();
  CHECK(world.last.fences[0].settlement->end == TaskState::kCancelled);
}

}  // namespace
}  // namespace kantoku::inputs::testing
