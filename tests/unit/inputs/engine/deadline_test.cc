#include <algorithm>

#include "absl/strings/match.h"
#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Hours;
using absl::Milliseconds;
using absl::Seconds;

TaskSpec Expiring(const EngineWorld& world, absl::Duration after) {
  TaskSpec spec = Spec();
  spec.expire_at = world.now.wall + after;
  return spec;
}

TaskSpec EndingWithin(absl::Duration time) {
  TaskSpec spec = Spec();
  spec.total_timeout_ms = static_cast<uint64_t>(absl::ToInt64Milliseconds(time));
  return spec;
}

// What the end that Outputs is asked for says; empty: none was asked for.
std::string EndOf(const EngineWorld& world, const TaskId& task) {
  std::string end;
  for (const FenceMessage& fence : world.last.fences) {
    if (fence.task == task && fence.settlement.has_value()) end = fence.settlement->failure.reason;
  }
  return end;
}

bool WasRevoked(const EngineWorld& world, const TaskId& task) {
  return std::ranges::any_of(world.last.controls, [&](const HandlerMessage& message) {
    return message.task == task && message.action == HandlerAction::kRevoke;
  });
}

TEST_CASE("What has not begun when it expires ends as EXPIRED, whatever it waits for") {
  EngineWorld world;
  TaskSpec delayed = Expiring(world, Seconds(10));
  delayed.not_before = world.now.wall + Seconds(20);
  TaskSpec blocked = Expiring(world, Seconds(10));
  blocked.dependencies.push_back({.task = world.DoSpawn()});
  const TaskId ready = world.DoSpawn(Expiring(world, Seconds(10)));
  const TaskId paused = world.DoSpawn(Expiring(world, Seconds(10)));
  REQUIRE(world.Control(paused, ControlVerb::kPause).ok());
  const std::vector<TaskId> tasks = {ready, paused, world.DoSpawn(delayed), world.DoSpawn(blocked)};
  world.Pass(Milliseconds(9'999));
  world.EndGroup();
  for (const TaskId& task : tasks) CHECK(EndOf(world, task).empty());
  CHECK(world.engine->NextWake(world.now) <= world.now.steady + Milliseconds(1));
  world.Pass(Milliseconds(1));
  world.EndGroup();
  for (const TaskId& task : tasks) {
    CHECK(EndOf(world, task) == "EXPIRED");
    CHECK(world.StateOf(task) == TaskState::kSettling);
  }
  world.Open(1, 10);
  world.EndGroup();
  CHECK(std::ranges::none_of(world.last.dispatches, [&](const DispatchMessage& message) {
    return std::ranges::find(tasks, message.task) != tasks.end();
  }));
}

TEST_CASE("What has expired when it is spawned ends at once") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn(Expiring(world, -Seconds(1)));
  CHECK(EndOf(world, task) == "EXPIRED");
  CHECK(world.last.dispatches.empty());
}

TEST_CASE("What lies in an executor's queue when it expires is taken back, and ends") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn(Expiring(world, Seconds(10)));
  REQUIRE(world.StateOf(task) == TaskState::kLeased);
  world.Pass(Seconds(10));
  world.EndGroup();
  CHECK(WasRevoked(world, task));
  CHECK(EndOf(world, task) == "EXPIRED");
  CHECK(world.View(task).failed_attempts == 0);
}

TEST_CASE("What runs when it expires goes on to its end, and is not tried again") {
  EngineWorld world;
  const TaskId task = world.DoRun(Expiring(world, Seconds(10)));
  world.Pass(Seconds(10));
  world.EndGroup();
  CHECK_FALSE(WasRevoked(world, task));
  CHECK(world.StateOf(task) == TaskState::kRunning);
  SECTION("it succeeds") {
    world.engine->Finished(task, 1, world.now, world.effects);
    world.EndGroup();
    CHECK(world.Ended(task)->state == TaskState::kSucceeded);
  }
  SECTION("it fails") {
    world.Nack(task, 1, NackKind::kFailed, "NO_DISK");
    world.EndGroup();
    CHECK(EndOf(world, task) == "EXPIRED");
    CHECK(absl::StrContains(world.View(task).last_failure.message, "NO_DISK"));
    CHECK(world.View(task).failed_attempts == 1);
  }
  SECTION("it comes back") {
    world.Nack(task, 1, NackKind::kReturned);
    world.EndGroup();
    CHECK(EndOf(world, task) == "EXPIRED");
    CHECK(world.View(task).failed_attempts == 0);
  }
}

TEST_CASE("A task fails when its whole time is over, however it stands") {
  EngineWorld world;
  const TaskId waits = world.DoSpawn(EndingWithin(Seconds(10)));
  world.Pass(Seconds(1));
  const TaskId later = world.DoSpawn(EndingWithin(Seconds(10)));
  world.Pass(Seconds(9));
  world.EndGroup();
  CHECK(EndOf(world, waits) == "TOTAL_TIMEOUT");
  CHECK(EndOf(world, later).empty());
  const TaskId runs = world.DoRun(EndingWithin(Seconds(10)));
  world.Pass(Seconds(5));
  REQUIRE(world.Control(runs, ControlVerb::kPause).ok());
  world.EndGroup();
  world.SayPaused(runs, true, 1);
  world.EndGroup();
  REQUIRE(world.StateOf(runs) == TaskState::kPaused);
  world.Pass(Seconds(5));  // A pause gives it no more time.
  world.EndGroup();
  CHECK(WasRevoked(world, runs));
  CHECK(EndOf(world, runs) == "TOTAL_TIMEOUT");
  CHECK(world.View(runs).failed_attempts == 1);
}

TEST_CASE("A result that was there before its task's whole time was over counts") {
  EngineWorld world;
  const TaskId task = world.DoRun(EndingWithin(Seconds(10)));
  world.Pass(Seconds(10));
  world.EndGroup();
  REQUIRE(EndOf(world, task) == "TOTAL_TIMEOUT");
  world.AnswerFence(task, 1, TaskState::kSucceeded);
  world.EndGroup();
  CHECK(world.Ended(task)->state == TaskState::kSucceeded);
}

TEST_CASE("What is being cancelled when its time is over is cancelled") {
  EngineWorld world;
  const TaskId task = world.DoRun(EndingWithin(Seconds(10)));
  REQUIRE(world.Cancel(task).ok());
  world.Pass(Seconds(10));
  world.EndGroup();
  CHECK(EndOf(world, task) == "CANCELLED");
}

TEST_CASE("Deadlines outlive a restart, and pass while nobody is there") {
  EngineWorld world;
  const TaskId expiring = world.DoSpawn(Expiring(world, Seconds(10)));
  const TaskId ending = world.DoSpawn(EndingWithin(Seconds(10)));
  const TaskId later = world.DoSpawn(Expiring(world, Seconds(100)));
  world.now.wall += Seconds(60);
  world.Crash();
  world.EndGroup();
  CHECK(EndOf(world, expiring) == "EXPIRED");
  CHECK(EndOf(world, ending) == "TOTAL_TIMEOUT");
  CHECK(EndOf(world, later).empty());
  CHECK(world.StateOf(later) == TaskState::kReady);
}

TEST_CASE("What expires in a restart goes on if it had begun, and is taken back if it had not") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn(Expiring(world, Seconds(10)));
  REQUIRE(world.StateOf(task) == TaskState::kLeased);
  world.now.wall += Seconds(60);
  world.Crash();
  world.EndGroup();
  CHECK(EndOf(world, task).empty());
  const bool begun = GENERATE(true, false);
  world.Open(1, 1, {{.task = task, .dispatch = 1, .started = begun}});
  world.EndGroup();
  CHECK(WasRevoked(world, task) == !begun);
  CHECK(EndOf(world, task) == (begun ? "" : "EXPIRED"));
}

TEST_CASE("A restart has all its time again, and does not expire") {
  EngineWorld world;
  TaskSpec spec = EndingWithin(Seconds(10));
  spec.expire_at = world.now.wall + Seconds(5);
  const TaskSpec again = world.engine->SpecOfRestart(TaskView(), spec);
  CHECK_FALSE(again.expire_at.has_value());
  CHECK(again.total_timeout_ms == 10'000);
}

TEST_CASE("An attempt without a timeout runs as long as it likes, also after a pause") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = kNoTimeout;
  const TaskId task = world.DoRun(spec);
  CHECK(world.engine->LeaseOf(task)->timeout_ms == kNoTimeout);
  world.Pass(Hours(24 * 100));
  world.EndGroup();
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.EndGroup();
  world.SayPaused(task, true, 1);
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.EndGroup();
  world.SayPaused(task, false, 2);
  world.Pass(Hours(24 * 100));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
  CHECK_FALSE(WasRevoked(world, task));
}

}  // namespace
}  // namespace kantoku::inputs::testing
