#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;

TaskSpec Retried(uint32_t attempts, uint32_t initial_ms = 1'000, float multiplier = 2,
                 float jitter = 0) {
  TaskSpec spec = Spec();
  spec.retry = {attempts, initial_ms, 60'000, multiplier, jitter};
  return spec;
}

// Starts the task's dispatch and lets it fail.
void Fail(EngineWorld& world, const TaskId& task, uint32_t dispatch) {
  REQUIRE(world.engine->Started(world.connection, task, dispatch, world.now, world.effects).ok());
  world.Nack(task, dispatch, NackKind::kFailed);
}

TEST_CASE("A failed attempt is tried again after its backoff and its fence") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3));
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  CHECK(world.Events(EventType::kTaskRetried) == 1);
  CHECK(world.View(task).state == TaskState::kScheduled);
  CHECK(world.View(task).cause == WaitCause::kBackoff);
  CHECK(world.View(task).failed_attempts == 1);
  CHECK(world.View(task).last_failure == Failure{"HANDLER_FAILED", "message"});
  REQUIRE(world.last.states.size() == 1);
  CHECK(world.last.states[0].record->closed_dispatch == 1);
  SECTION("the fence is answered first") {
    world.AnswerFence(task, 1);
    CHECK(world.EndGroup().dispatches.empty());
    world.Pass(Seconds(1));
    REQUIRE(world.EndGroup().dispatches.size() == 1);
  }
  SECTION("the backoff ends first") {
    world.Pass(Seconds(1));
    CHECK(world.EndGroup().dispatches.empty());
    CHECK(world.View(task).cause == WaitCause::kFence);
    world.AnswerFence(task, 1);
    REQUIRE(world.EndGroup().dispatches.size() == 1);
  }
  CHECK(world.last.dispatches[0].dispatch == 2);
  CHECK(world.last.dispatches[0].attempt == 2);
}

TEST_CASE(
    "Each failed attempt is kept with its dispatch, its time and its reason, also when it is "
    "dead") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3, 0));
  const absl::Time first = world.now.wall;
  world.Nack(task, 1, NackKind::kFailed, "NO_DISK");
  world.AnswerFence(task, 1);
  world.EndGroup();
  REQUIRE(world.engine->Started(world.connection, task, 2, world.now, world.effects).ok());
  world.Pass(absl::Hours(1));
  world.EndGroup();
  CHECK(world.View(task).attempts->size() == 2);
  world.Crash();  // They are recorded.
  world.AnswerFence(task, 2);
  world.Open(1, 1);
  world.EndGroup();
  REQUIRE(world.engine->Started(world.connection, task, 3, world.now, world.effects).ok());
  world.Nack(task, 3, NackKind::kFailedFinally, "GIVES_UP");
  world.EndGroup();
  world.AnswerFence(task, 3, TaskState::kFailed);
  world.EndGroup();
  const auto dead = world.Ended(task);
  REQUIRE(dead.has_value());
  REQUIRE(dead->attempts != nullptr);
  REQUIRE(dead->attempts->size() == 3);
  CHECK(dead->attempts->at(0) == FailedAttempt{1, first, {"NO_DISK", "message"}});
  CHECK(dead->attempts->at(1).dispatch == 2);
  CHECK(dead->attempts->at(1).at == first + absl::Hours(1));
  CHECK(dead->attempts->at(1).failure.reason == "TIMEOUT");
  CHECK(dead->attempts->at(2).failure.reason == "GIVES_UP");
}

TEST_CASE(
    "Of many failed attempts the newest ten are kept, their messages cut between characters") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(100, 0));
  for (uint32_t dispatch = 1; dispatch <= 12; ++dispatch) {
    if (dispatch > 1) {
      REQUIRE(
          world.engine->Started(world.connection, task, dispatch, world.now, world.effects).ok());
    }
    std::string message = "x";
    while (message.size() < 1'000) message += "ü";
    REQUIRE(world.engine
                ->Nack(world.connection,
                       {task, dispatch, NackKind::kFailed, {"HANDLER_FAILED", message}}, world.now,
                       world.effects)
                .ok());
    world.AnswerFence(task, dispatch);
    world.EndGroup();
  }
  const auto attempts = world.View(task).attempts;
  REQUIRE(attempts->size() == kKeptAttempts);
  CHECK(attempts->front().dispatch == 3);
  CHECK(attempts->back().dispatch == 12);
  CHECK(attempts->back().failure.message.size() == kAttemptMessageBytes - 1);
  CHECK(world.View(task).last_failure.message.size() > kAttemptMessageBytes);
}

TEST_CASE("A failure that its policy calls not retryable ends the task at once") {
  TaskSpec spec = Retried(3);
  spec.retry.non_retryable = {"EXECUTOR_LOST", "NO_SUCH_FILE", "TIMEOUT"};
  EngineWorld world;
  const TaskId task = world.DoRun(spec);
  SECTION("as the handler says") { world.Nack(task, 1, NackKind::kFailed, "NO_SUCH_FILE"); }
  SECTION("a timeout") { world.Pass(absl::Hours(1)); }
  SECTION("a loss") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.Pass(Seconds(20));
  }
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kSettling);
  REQUIRE(world.last.fences.size() == 1);
  CHECK(world.last.fences[0].settlement->end == TaskState::kFailed);
  CHECK(world.View(task).failed_attempts == 1);
}

TEST_CASE("A failure that its policy does not name is retried") {
  TaskSpec spec = Retried(3);
  spec.retry.non_retryable = {"NO_SUCH_FILE"};
  EngineWorld world;
  const TaskId task = world.DoRun(spec);
  world.Nack(task, 1, NackKind::kFailed, "BUSY");
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kScheduled);
}

TEST_CASE("Backoff grows by its multiplier up to its maximum") {
  EngineWorld world({.max_dispatches = 1'000});
  const TaskId task = world.DoRun(Retried(100, 1'000, 4));
  for (uint32_t dispatch = 1; const int seconds : {1, 4, 16, 60, 60}) {
    Fail(world, task, dispatch);
    world.AnswerFence(task, dispatch++);
    world.Pass(Seconds(seconds) - Milliseconds(1));
    CHECK(world.EndGroup().dispatches.empty());
    world.Pass(Milliseconds(1));
    CHECK(world.EndGroup().dispatches.size() == 1);
  }
}

TEST_CASE("A backoff takes as long as it says when the wall clock is set") {
  const absl::Duration jump = GENERATE(absl::Hours(2), -absl::Hours(2));
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3, 10'000));
  world.Nack(task, 1, NackKind::kFailed);
  world.AnswerFence(task, 1);
  world.EndGroup();
  world.now.wall += jump;
  world.Pass(Milliseconds(9'999));
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(task).cause == WaitCause::kBackoff);
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Milliseconds(1));
  world.Pass(Milliseconds(1));
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("A backoff that was recorded by a clock ahead is no longer than the longest") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3, 10'000));
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  world.now.wall -= absl::Hours(2);
  world.Crash();
  world.Open(1, 10);
  world.AnswerFence(task, 1);
  world.EndGroup();
  CHECK(world.View(task).cause == WaitCause::kBackoff);
  world.Pass(Seconds(59));
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Seconds(1));
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("A task that backs off ends at once when it is cancelled or its result is found") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3, 10'000));
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  REQUIRE(world.StateOf(task) == TaskState::kScheduled);
  if (GENERATE(false, true)) {
    REQUIRE(world.Cancel(task).ok());
    world.AnswerFence(task, 1, TaskState::kCancelled);
  } else {
    world.AnswerFence(task, 1, TaskState::kSucceeded);
  }
  world.EndGroup();
  CHECK(world.Ended(task).has_value());
  world.Pass(Seconds(10));
  CHECK(world.EndGroup().dispatches.empty());
}

TEST_CASE("No backoff stays none, after any number of failures") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(1'000, 0, 100));
  for (uint32_t dispatch = 1; dispatch <= 300; ++dispatch) {
    Fail(world, task, dispatch);
    world.AnswerFence(task, dispatch);
    REQUIRE(world.EndGroup().dispatches.size() == 1);
  }
}

TEST_CASE("Jitter shortens a backoff by at most its fraction") {
  EngineWorld world({.seed = 42});
  const TaskId task = world.DoRun(Retried(3, 10'000, 2, 0.5F));
  world.Nack(task, 1, NackKind::kFailed);
  world.AnswerFence(task, 1);
  world.EndGroup();
  const auto wake = world.engine->NextWake(world.now) - world.now.steady;
  CHECK(wake > Seconds(5));
  CHECK(wake < Seconds(10));
}

TEST_CASE("The last attempt settles the task as failed, which ends with Outputs' answer") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(1));
  world.Nack(task, 1, NackKind::kFailed);
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.fences.size() == 1);
  REQUIRE(effects.fences[0].settlement.has_value());
  CHECK(effects.fences[0].settlement->end == TaskState::kFailed);
  CHECK(effects.fences[0].settlement->failure.reason == "HANDLER_FAILED");
  CHECK(world.StateOf(task) == TaskState::kSettling);
  CHECK_FALSE(world.Ended(task).has_value());
  world.AnswerFence(task, 1, TaskState::kFailed);
  world.EndGroup();
  REQUIRE(world.Ended(task).has_value());
  CHECK(world.Ended(task)->state == TaskState::kFailed);
  CHECK(world.Ended(task)->last_failure.reason == "HANDLER_FAILED");
  CHECK(world.records.specs.contains(task.key()));
  CHECK(world.records.states.empty());
  CHECK(world.engine->FindDead(task.key()).has_value());
}

TEST_CASE("A dead task keeps its payload until its retention is over") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(1));
  world.Nack(task, 1, NackKind::kFailed);
  world.AnswerFence(task, 1, TaskState::kFailed);
  world.EndGroup();
  world.Crash();
  CHECK(world.engine->pending() == 0);
  world.EndGroup();
  CHECK(world.records.specs.size() == 1);
  world.Pass(absl::Hours(24 * 7 + 1));
  world.EndGroup();
  CHECK(world.records.specs.empty());
  CHECK(world.records.dead.empty());
}

// Spawned and failed for good.
TaskId Die(EngineWorld& world, uint32_t stored_bytes) {
  TaskSpec spec = Retried(1);
  spec.stored_bytes = stored_bytes;
  const TaskId task = world.DoSpawn(spec);
  world.Nack(task, 1, NackKind::kFailed);
  world.AnswerFence(task, 1, TaskState::kFailed);
  world.EndGroup();
  return task;
}

TEST_CASE("Dead tasks take no more bytes than they may, and the oldest leave with their payloads") {
  EngineWorld world({.max_dead_bytes = 10'000});
  world.Open(1, 10);
  const TaskId first = Die(world, 4'000);
  const TaskId second = Die(world, 4'000);
  CHECK(world.engine->FindDead(first.key()).has_value());
  const bool restarted = GENERATE(false, true);
  if (restarted) {
    world.Crash();
    world.Open(1, 10);
    world.EndGroup();
    CHECK(world.engine->FindDead(first.key()).has_value());
  }
  const TaskId third = Die(world, 4'000);
  CHECK_FALSE(world.engine->FindDead(first.key()).has_value());
  CHECK(world.engine->FindDead(second.key()).has_value());
  CHECK(world.engine->FindDead(third.key()).has_value());
  CHECK(world.records.specs.size() == 2);
  CHECK(world.records.dead.size() == 2);
}

TEST_CASE("A final failure is not tried again") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(10));
  world.Nack(task, 1, NackKind::kFailedFinally);
  CHECK(world.StateOf(task) == TaskState::kSettling);
  CHECK(world.View(task).failed_attempts == 1);
}

TEST_CASE(
    "Only what failed counts an attempt: a return costs none, at once first, later with a pause") {
  EngineWorld world;
  const TaskId task = world.DoRun(Retried(3));
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK(world.Events(EventType::kTaskReturned) == 1);
  world.Nack(task, 2, NackKind::kReturned);
  world.AnswerFence(task, 2);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(task).cause == WaitCause::kBackoff);
  CHECK(world.View(task).failed_attempts == 0);
  world.Pass(Seconds(1));
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].attempt == 1);
}

TEST_CASE("A task that is dispatched too often without an end fails") {
  EngineWorld world({.max_dispatches = 3});
  const bool failing = GENERATE(false, true);
  const TaskId task = world.DoRun(Retried(3, 0));
  world.Nack(task, 1, NackKind::kReturned);
  world.Redeliver(task, 1);
  world.Nack(task, 2, NackKind::kReturned);
  world.Redeliver(task, 2);
  world.Nack(task, 3, failing ? NackKind::kFailed : NackKind::kReturned, "OUT_OF_LUCK");
  CHECK(world.StateOf(task) == TaskState::kSettling);
  CHECK(world.View(task).last_failure.reason == "TOO_MANY_DISPATCHES");
  CHECK(world.View(task).last_failure.message ==
        std::string("dispatched 3 times without an end; last: ") +
            (failing ? "OUT_OF_LUCK" : "RETURNED"));
}

TEST_CASE("Whoever asks for many attempts gets them all") {
  EngineWorld world({.max_dispatches = 2});
  const TaskId task = world.DoRun(Retried(4, 0));
  for (uint32_t dispatch = 1; dispatch < 4; ++dispatch) {
    Fail(world, task, dispatch);
    world.Redeliver(task, dispatch);
  }
  CHECK(world.StateOf(task) == TaskState::kLeased);
  Fail(world, task, 4);
  CHECK(world.View(task).last_failure.reason == "HANDLER_FAILED");
}

TEST_CASE("An attempt that runs longer than its timeout is revoked and has failed") {
  EngineWorld world;
  TaskSpec spec = Retried(2);
  spec.timeout_ms = 5'000;
  const TaskId task = world.DoRun(spec);
  world.Pass(Milliseconds(4'999));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
  SECTION("wall time alone does not end it") {
    world.now.wall += Minutes(5);
    world.EndGroup();
    CHECK(world.StateOf(task) == TaskState::kRunning);
  }
  world.Pass(Milliseconds(1));
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.controls.size() == 1);
  CHECK(effects.controls[0].action == HandlerAction::kRevoke);
  CHECK(world.View(task).failed_attempts == 1);
  CHECK(world.View(task).last_failure.reason == "TIMEOUT");
  CHECK(Reason(world.engine->Started(world.connection, task, 1, world.now, world.effects)) ==
        "NOT_HELD");
}

TEST_CASE("The timeout counts from started, not from the dispatch") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = 5'000;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Seconds(30));
  world.EndGroup();
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.Pass(Seconds(4));
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(world.View(task).last_failure.reason == "TIMEOUT");
}

}  // namespace
}  // namespace kantoku::inputs::testing
