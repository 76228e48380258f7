#include <numeric>

#include "tests/unit/inputs/engine/admission_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Milliseconds;
using absl::Seconds;

int64_t Waited(const EngineWorld& world, const TaskId& task, WaitCause cause) {
  const auto times = world.engine->WaitsOf(task, world.now);
  REQUIRE(times.has_value());
  return (*times)[static_cast<size_t>(cause)];
}

int64_t WaitedAtAll(const EngineWorld& world, const TaskId& task) {
  const auto times = world.engine->WaitsOf(task, world.now);
  REQUIRE(times.has_value());
  return std::accumulate(times->begin(), times->end(), int64_t{0});
}

Labels Named(const std::string& executor) {
  auto labels = Labels::Make({{"executor", executor}});
  REQUIRE(labels.ok());
  return *std::move(labels);
}

TEST_CASE("Every millisecond that a task waits has exactly one cause, the first of the order") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Milliseconds(300);
  spec.retry.jitter = 0;
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Milliseconds(300));
  world.EndGroup();
  world.Pass(Milliseconds(70));
  world.Open(1, 0);
  world.EndGroup();
  world.Pass(Milliseconds(50));
  world.engine->SetCredit(world.connection, 1);
  world.EndGroup();
  REQUIRE(world.StateOf(task) == TaskState::kLeased);
  world.Pass(Milliseconds(9));
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.Pass(Seconds(5));  // Runs.
  world.engine->SetCredit(world.connection, 0);
  world.Nack(task, 1, NackKind::kFailed);
  world.Pass(Milliseconds(1'000));
  world.EndGroup();
  world.Pass(Milliseconds(4));
  world.AnswerFence(task, 1);
  world.Pass(Milliseconds(2));

  CHECK(Waited(world, task, WaitCause::kDelay) == 300);
  CHECK(Waited(world, task, WaitCause::kNoImplementation) == 70);
  CHECK(Waited(world, task, WaitCause::kExecutorQueue) == 9);
  CHECK(Waited(world, task, WaitCause::kBackoff) == 1'000);
  CHECK(Waited(world, task, WaitCause::kFence) == 4);
  CHECK(Waited(world, task, WaitCause::kNoCredit) == 50 + 2);
  CHECK(WaitedAtAll(world, task) == 300 + 70 + 9 + 1'000 + 4 + 52);
}

TEST_CASE("A task waits for its dependency to the millisecond, and for its delay only after that") {
  EngineWorld world;
  const TaskId first = world.DoSpawn();
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Milliseconds(300);
  spec.dependencies.push_back({.task = first, .on_failure = OnFailure::kRun});
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Milliseconds(111));
  CHECK(world.View(task).cause == WaitCause::kDependency);
  REQUIRE(world.Cancel(first).ok());
  world.EndGroup();
  world.AnswerFence(first, 0, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.View(task).cause == WaitCause::kDelay);
  world.Pass(Milliseconds(189));
  world.EndGroup();
  world.Pass(Milliseconds(5));
  CHECK(Waited(world, task, WaitCause::kDependency) == 111);
  CHECK(Waited(world, task, WaitCause::kDelay) == 189);
  CHECK(Waited(world, task, WaitCause::kNoImplementation) == 5);
  CHECK(WaitedAtAll(world, task) == 305);
}

TEST_CASE("A pause counts before everything else that a task waits for") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Seconds(10);
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Milliseconds(100));
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.Pass(Milliseconds(30));
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.Pass(Milliseconds(5));
  CHECK(Waited(world, task, WaitCause::kDelay) == 105);
  CHECK(Waited(world, task, WaitCause::kPaused) == 30);
}

TEST_CASE("A paused type counts before everything else that its tasks wait for, as a pause does") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Seconds(10);
  const TaskId delayed = world.DoSpawn(spec);
  const TaskId ready = world.DoSpawn();
  world.Pass(Milliseconds(100));
  REQUIRE(world.engine->SetPause("default", "work", true, "", world.now, world.effects).ok());
  world.EndGroup();
  world.Pass(Milliseconds(30));
  REQUIRE(world.engine->SetPause("default", "work", false, "", world.now, world.effects).ok());
  world.EndGroup();
  world.Pass(Milliseconds(5));
  CHECK(Waited(world, delayed, WaitCause::kDelay) == 105);
  CHECK(Waited(world, delayed, WaitCause::kPaused) == 30);
  CHECK(Waited(world, ready, WaitCause::kNoImplementation) == 105);
  CHECK(Waited(world, ready, WaitCause::kPaused) == 30);
}

TEST_CASE("What a task has waited for its keys is known key by key, and behind its lane") {
  EngineWorld world;
  TaskKeys keys = Concurrency("db", 1);
  keys.rates = {{"api", KeyScope::kNamespace, 1, {.tokens = 1, .period_ms = 1'000, .burst = 1}}};
  keys.ordering = "order";
  const TaskId slot = SpawnAll(world, {Keyed(Concurrency("db", 1))})[0];
  const TaskId head = SpawnAll(world, {Keyed(keys)})[0];
  const TaskId behind = SpawnAll(world, {Keyed(keys)})[0];
  world.Pass(Milliseconds(7));
  world.Open(1, 10);
  world.EndGroup();  // "db" is taken.
  world.Pass(Milliseconds(20));
  Finish(world, slot);
  REQUIRE(world.StateOf(head) == TaskState::kLeased);
  world.Pass(Milliseconds(300));
  Finish(world, head);  // Its token is used up.
  world.Pass(Milliseconds(200));
  world.EndGroup();

  CHECK(Waited(world, behind, WaitCause::kNoImplementation) == 7);
  CHECK(Waited(world, behind, WaitCause::kOrderingKey) == 320);
  CHECK(Waited(world, behind, WaitCause::kRateKey) == 200);
  CHECK(WaitedAtAll(world, behind) == 527);
  world.Pass(Milliseconds(500));
  world.EndGroup();
  REQUIRE(world.StateOf(behind) == TaskState::kLeased);
  CHECK(Waited(world, behind, WaitCause::kRateKey) == 700);
}

TEST_CASE("What a task has waited for a slot outlives that others get it before") {
  EngineWorld world;
  const auto tasks = SpawnAll(world, std::vector<TaskSpec>(4, Keyed(Concurrency("db", 1))));
  world.Open(1, 10);
  world.EndGroup();
  for (int i = 0; i < 3; ++i) {
    world.Pass(Milliseconds(100));
    Finish(world, tasks[i]);
  }
  CHECK(Waited(world, tasks[3], WaitCause::kConcurrencyKey) == 300);
  CHECK(WaitedAtAll(world, tasks[3]) == 300);
  const auto& totals = world.engine->WaitsByType(world.now);
  CHECK(totals.at({"default", "work"}).times[static_cast<size_t>(WaitCause::kConcurrencyKey)] ==
        100 + 200 + 300);
}

TEST_CASE("While another fairness key has the turn a task waits for its own, else for credit") {
  EngineWorld world;
  world.Open(1, 1);
  SpawnAll(world, {Keyed(Fair("a"))});
  const TaskId late = SpawnAll(world, {Keyed(Fair("b"))})[0];
  CHECK(world.View(late).cause == WaitCause::kNoCredit);
  world.Pass(Milliseconds(10));
  const TaskId later = SpawnAll(world, {Keyed(Fair("c"))})[0];
  CHECK(world.View(later).cause == WaitCause::kFairnessTurn);
  CHECK(world.View(later).detail == R"(fairness key "b" has the next turn)");
  world.Pass(Milliseconds(25));
  REQUIRE(world.Cancel(late).ok());
  world.EndGroup();
  world.Pass(Milliseconds(3));
  CHECK(Waited(world, later, WaitCause::kFairnessTurn) == 25);
  CHECK(Waited(world, later, WaitCause::kNoCredit) == 3);
}

TEST_CASE("A handler that is told to go on does not wait in its executor's queue") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn(Spec());
  world.EndGroup();
  world.Pass(Milliseconds(7));
  // It heard of a pause that nobody here knows of any more.
  REQUIRE(world.engine
              ->HandlerStatus(world.connection, {.task = task, .dispatch = 1, .paused = true},
                              world.now, world.effects)
              .ok());
  REQUIRE(world.StateOf(task) == TaskState::kResuming);
  world.Pass(Milliseconds(100));
  CHECK(WaitedAtAll(world, task) == 7);
}

TEST_CASE("A placement that fits nobody counts until somebody comes whom it fits") {
  EngineWorld world;
  TaskSpec spec = Spec();
  Placement placement;
  placement.pins.executor = "big";
  spec.placement = std::make_shared<const Placement>(placement);
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Milliseconds(10));
  world.Open(1, 1, {}, {"work"}, Named("small"));
  world.EndGroup();
  world.Pass(Milliseconds(20));
  world.Open(2, 0, {}, {"work"}, Named("big"));
  world.EndGroup();
  world.Pass(Milliseconds(30));
  CHECK(Waited(world, task, WaitCause::kNoImplementation) == 10);
  CHECK(Waited(world, task, WaitCause::kPlacementUnmatched) == 20);
  CHECK(Waited(world, task, WaitCause::kNoCredit) == 30);
}

TEST_CASE("What no record tells of the time before a restart is recovering") {
  EngineWorld world;
  const TaskId waits = world.DoSpawn();
  world.Pass(Seconds(7));
  world.EndGroup();
  world.now.wall += Seconds(60);  // While it was away.
  world.Crash();
  world.Pass(Milliseconds(5));
  CHECK(Waited(world, waits, WaitCause::kRecovering) == 68'000);
  CHECK(Waited(world, waits, WaitCause::kNoImplementation) == 5);
}

TEST_CASE("What a task has waited for before its last failure outlives a restart") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.retry.initial_backoff_ms = 10'000;
  spec.retry.jitter = 0;
  const TaskId task = world.DoSpawn(spec);
  world.Pass(Milliseconds(40));
  world.Open(1, 1);
  world.EndGroup();
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.Pass(Seconds(100));
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  world.Pass(Seconds(3));
  world.Crash();
  CHECK(Waited(world, task, WaitCause::kNoImplementation) == 40);
  CHECK(Waited(world, task, WaitCause::kRecovering) == 4'000);
  CHECK(WaitedAtAll(world, task) == 4'040);
}

TEST_CASE("A wall clock that is set takes nothing from what is known to have been waited") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.retry.initial_backoff_ms = 10'000;
  spec.retry.jitter = 0;
  const TaskId task = world.DoSpawn(spec);
  world.Open(1, 1);
  world.EndGroup();
  world.now.wall += GENERATE(absl::Hours(-1), absl::Hours(1));
  world.Nack(task, 1, NackKind::kFailed);
  world.EndGroup();
  world.Pass(Seconds(3));
  world.Crash();
  CHECK(Waited(world, task, WaitCause::kRecovering) == 4'000);
}

TEST_CASE("The time of a handler that runs through a restart is not waited") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  world.Pass(Milliseconds(40));
  world.Open(1, 1);
  world.EndGroup();
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.EndGroup();
  world.Pass(Seconds(100));
  world.Crash();
  world.Pass(Seconds(5));
  CHECK(Waited(world, task, WaitCause::kRecovering) == 40);
  CHECK(WaitedAtAll(world, task) == 40);
  world.Open(1, 1, {{.task = task, .dispatch = 1, .started = true}});
  world.Pass(Seconds(100));
  CHECK(WaitedAtAll(world, task) == 40);
}

TEST_CASE("What lies in an executor's queue through a restart has waited all the time") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  world.Pass(Milliseconds(40));
  world.Open(1, 1);
  world.EndGroup();
  world.Pass(Milliseconds(9));
  const bool controlled = GENERATE(false, true);
  world.Crash();  // For a second.
  if (controlled) {
    REQUIRE(world.Control(task, ControlVerb::kPause).ok());
    REQUIRE(world.Control(task, ControlVerb::kResume).ok());
    world.EndGroup();
    world.Pass(Milliseconds(100));
    world.Crash();
  }
  const int64_t away = 40 + 9 + (controlled ? 2'100 : 1'000);
  world.Pass(Milliseconds(5));
  const bool comes_back = GENERATE(true, false);
  if (comes_back) {
    world.Open(1, 1, {{.task = task, .dispatch = 1}});
  } else {
    world.Open(1, 1);
    world.EndGroup();
  }
  CHECK(Waited(world, task, WaitCause::kRecovering) == away);
  CHECK(Waited(world, task, WaitCause::kExecutorQueue) == 5);
  CHECK(WaitedAtAll(world, task) == away + 5);
  const auto& totals = world.engine->WaitsByType(world.now);
  CHECK(totals.at({"default", "work"}).times[static_cast<size_t>(WaitCause::kExecutorQueue)] == 5);
}

TEST_CASE("A task that is paused in its executor's queue waits for that, and then for its turn") {
  EngineWorld world;
  world.Open(1, 1);
  const TaskId task = world.DoSpawn();
  world.EndGroup();
  world.Pass(Milliseconds(5));
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.Pass(Seconds(7));
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.Pass(Milliseconds(3));
  REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
  world.Pass(Seconds(1));
  CHECK(Waited(world, task, WaitCause::kExecutorQueue) == 5 + 3);
  CHECK(Waited(world, task, WaitCause::kPaused) == 7'000);
  CHECK(WaitedAtAll(world, task) == 7'008);
}

}  // namespace
}  // namespace kantoku::inputs::testing
