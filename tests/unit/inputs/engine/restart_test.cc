// Dead tasks that are run anew.
#include <algorithm>

#include "tests/unit/inputs/engine/admission_world.h"
#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Hours;

// Ends a task that waits.
TaskView Kill(EngineWorld& world, const TaskId& task) {
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  world.AnswerFence(task, world.View(task).dispatch, TaskState::kCancelled);
  world.EndGroup();
  return world.Ended(task).value();
}

absl::StatusOr<TaskId> Restart(EngineWorld& world, const TaskView& dead) {
  const TaskSpec spec =
      world.engine->SpecOfRestart(dead, world.records.specs.at(dead.id.key()).spec);
  auto id = world.engine->Restart(dead, spec, 77, world.now, world.effects);
  if (id.ok()) world.records.AddSpec(*id, dead.name_space, dead.owner, spec);
  return id;
}

TEST_CASE("A restart is a new task that asks for the same, and both tell of each other") {
  EngineWorld world;
  const TaskView dead = Kill(world, world.DoSpawn(Spec("work", 7)));
  const auto id = Restart(world, dead);
  REQUIRE(id.ok());
  CHECK(*id != dead.id);
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const TaskView view = world.View(*id);
  CHECK(view.state == TaskState::kReady);
  CHECK(view.priority == 7);
  CHECK(view.restarted_from == dead.id);
  CHECK(world.engine->RestartedAs(dead.id.key()) == *id);
  // The dead one is still there, and its end is told with the next one's.
  CHECK(world.engine->FindDead(dead.id.key()).has_value());
  const TaskView again = Kill(world, *id);
  CHECK(again.restarted_from == dead.id);
  CHECK(Restart(world, again).ok());
}

TEST_CASE("A restart takes the reference along") {
  EngineWorld world;
  const TaskView dead = Kill(world, world.DoSpawn(Referenced("mine")));
  CHECK(world.Spawn({Referenced("mine")})->items[0].id == dead.id);
  const auto id = Restart(world, dead);
  REQUIRE(id.ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.Spawn({Referenced("mine")})->items[0].id == *id);
  CHECK(world.Spawn({Referenced("mine", 2)})->items[0].conflict == "payload");
  CHECK(world.View(*id).reference == "mine");
  REQUIRE(world.records.references.size() == 1);
  CHECK(world.records.references.begin()->second.task == *id);
}

TEST_CASE("What is forgotten of a dead task leaves its successor alone") {
  EngineWorld world;
  const TaskView dead = Kill(world, world.DoSpawn(Referenced("mine")));
  const auto id = Restart(world, dead);
  world.EndGroup();
  world.Pass(world.options.dead_retention + Hours(1));
  world.EndGroup();
  CHECK(!world.engine->FindDead(dead.id.key()).has_value());
  CHECK(world.engine->RestartedAs(dead.id.key()).empty());
  CHECK(world.records.restarts.empty());
  CHECK(!world.records.specs.contains(dead.id.key()));
  CHECK(world.Spawn({Referenced("mine")})->items[0].id == *id);
}

TEST_CASE("A tree lives again with a member that is restarted") {
  EngineWorld world;
  const TaskId root = world.DoSpawn();
  TaskSpec spec = Spec();
  spec.parent = root;
  const TaskView child = Kill(world, world.DoSpawn(spec));
  const TaskView dead_root = Kill(world, root);
  CHECK(dead_root.root == root);
  const auto id = Restart(world, child);
  REQUIRE(id.ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.View(*id).parent == root);
  CHECK(world.View(*id).root == root);
  // The root's own successor is of the same tree, though it is not its root any more.
  const auto new_root = Restart(world, dead_root);
  REQUIRE(new_root.ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.View(*new_root).root == root);
  CHECK(world.View(*new_root).parent.empty());
  CHECK(world.ControlTree(root, ControlVerb::kPause).ok());
  world.EndGroup();
  CHECK(world.StateOf(*id) == TaskState::kPaused);
  CHECK(world.StateOf(*new_root) == TaskState::kPaused);
}

TEST_CASE("A chain of restarts keeps parent and root") {
  EngineWorld world;
  const TaskId root = world.DoSpawn();
  TaskSpec spec = Spec();
  spec.parent = root;
  const TaskId parent = world.DoSpawn(spec);
  spec.parent = parent;
  TaskView dead = Kill(world, world.DoSpawn(spec));
  if (GENERATE(false, true)) {  // Its tree lives again with each link.
    Kill(world, parent);
    Kill(world, root);
  }
  for (int link = 0; link < 3; ++link) {
    CAPTURE(link);
    if (GENERATE(false, true)) world.Crash();
    const auto id = Restart(world, dead);
    REQUIRE(id.ok());
    world.EndGroup();
    if (GENERATE(false, true)) world.Crash();
    CHECK(world.View(*id).restarted_from == dead.id);
    CHECK(world.View(*id).parent == parent);
    CHECK(world.View(*id).root == root);
    dead = Kill(world, *id);
    CHECK(dead.parent == parent);
    CHECK(dead.root == root);
  }
}

TEST_CASE("Nothing is restarted into a tree that is being stopped") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  world.engine->SetCredit(world.connection, 0);
  TaskSpec spec = Spec();
  spec.parent = root;
  const TaskView child = Kill(world, world.DoSpawn(spec));
  const bool tree = GENERATE(false, true);
  REQUIRE((tree ? world.ControlTree(root, ControlVerb::kCancel) : world.Cancel(root)).ok());
  CHECK(Reason(Restart(world, child)) == "TREE_STOPPING");
  CHECK(world.engine->RestartedAs(child.id.key()).empty());
  CHECK(world.engine->pending() == 1);
}

TaskSpec After(const TaskId& task, OnFailure on_failure = OnFailure::kFail) {
  TaskSpec spec = Spec();
  spec.dependencies.push_back({.task = task, .on_failure = on_failure, .argument = true});
  return spec;
}

TEST_CASE("A restart does not wait again for what has ended, and still has it as an argument") {
  EngineWorld world;
  const TaskId failed = world.DoSpawn();
  const TaskId waiting = world.DoSpawn(After(failed, GENERATE(OnFailure::kFail, OnFailure::kSkip)));
  Kill(world, failed);
  REQUIRE(world.StateOf(waiting) == TaskState::kSettling);
  world.AnswerFence(waiting, 0, TaskState::kFailed);
  world.EndGroup();
  const auto id = Restart(world, world.Ended(waiting).value());
  REQUIRE(id.ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.StateOf(*id) == TaskState::kReady);
  world.Open(1, 1);
  world.EndGroup();
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK(world.last.dispatches[0].task == *id);
  CHECK(world.last.dispatches[0].arguments);
}

TEST_CASE("A restart waits for what has not ended, and heeds how it ends") {
  EngineWorld world;
  const TaskId running = world.DoRun();
  const TaskView dead = Kill(world, world.DoSpawn(After(running)));
  const auto id = Restart(world, dead);
  REQUIRE(id.ok());
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10, {{running, 1, true}});
  }
  CHECK(world.StateOf(*id) == TaskState::kBlocked);
  CHECK(world.View(*id).cause == WaitCause::kDependency);
  if (GENERATE(false, true)) {
    world.engine->Finished(running, 1, world.now, world.effects);
    world.EndGroup();
    CHECK(world.StateOf(*id) == TaskState::kLeased);
    return;
  }
  world.Nack(running, 1, NackKind::kFailedFinally);
  world.EndGroup();
  world.AnswerFence(running, 1, TaskState::kFailed);
  world.EndGroup();
  CHECK(world.View(*id).last_failure.reason == "DEPENDENCY_FAILED");
}

// A task that waits fails, as what it depends on has.
TaskView Fail(EngineWorld& world, const TaskId& task) {
  REQUIRE(world.StateOf(task) == TaskState::kSettling);
  world.AnswerFence(task, 0, TaskState::kFailed);
  world.EndGroup();
  return world.Ended(task).value();
}

TaskId DoRestart(EngineWorld& world, const TaskView& dead) {
  const auto id = Restart(world, dead);
  REQUIRE(id.ok());
  world.EndGroup();
  return *id;
}

TEST_CASE("A restart waits for the newest restart of what it depends on, and heeds how that ends") {
  EngineWorld world;
  const TaskId first = world.DoSpawn();
  const TaskId second = world.DoSpawn(After(first));
  const TaskView dead_first = Kill(world, first);
  const TaskView dead_second = Fail(world, second);
  const TaskView again = Kill(world, DoRestart(world, dead_first));
  const TaskId newest = DoRestart(world, again);
  const TaskId id = DoRestart(world, dead_second);
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.StateOf(id) == TaskState::kBlocked);
  CHECK(world.View(id).open_dependency == newest);
  world.Open(1, 10);
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{newest});
  if (GENERATE(false, true)) {
    Finish(world, newest);
    REQUIRE(Dispatched(world) == std::vector{id});
    CHECK(world.last.dispatches[0].arguments);
    return;
  }
  world.Nack(newest, 1, NackKind::kFailedFinally);
  world.EndGroup();
  world.AnswerFence(newest, 1, TaskState::kFailed);
  world.EndGroup();
  CHECK(world.View(id).last_failure.reason == "DEPENDENCY_FAILED");
}

TEST_CASE("A restart takes its argument from a restart that has ended, and waits for it no more") {
  EngineWorld world;
  const TaskId first = world.DoSpawn();
  const TaskId second = world.DoSpawn(After(first));
  const TaskId newest = DoRestart(world, Kill(world, first));
  const TaskView dead = Fail(world, second);
  const bool well = GENERATE(false, true);
  world.Open(1, 10);
  world.EndGroup();
  if (well) {
    Finish(world, newest);
  } else {
    world.Nack(newest, 1, NackKind::kFailedFinally);
    world.EndGroup();
    world.AnswerFence(newest, 1, TaskState::kFailed);
    world.EndGroup();
  }
  const TaskId id = DoRestart(world, dead);
  CHECK(Dispatched(world) == std::vector{id});
  CHECK(world.records.specs.at(id.key()).spec.dependencies.front().task == newest);
}

TEST_CASE("A restart that depends on a task and on its restart names each once") {
  EngineWorld world;
  const TaskId first = world.DoSpawn();
  const TaskId newest = DoRestart(world, Kill(world, first));
  TaskSpec spec = After(first);
  spec.dependencies.push_back({.task = newest});
  const TaskView dead = Kill(world, world.DoSpawn());
  const auto dependencies = world.engine->SpecOfRestart(dead, spec).dependencies;
  REQUIRE(dependencies.size() == 2);
  CHECK(dependencies[0].task == first);
  CHECK(dependencies[0].on_failure == OnFailure::kRun);
  CHECK(dependencies[1].task == newest);
  CHECK(dependencies[1].on_failure == OnFailure::kFail);
}

TEST_CASE("A restart of a task with ten thousand dependencies depends on their restarts") {
  constexpr size_t kFanIn = 10'000;
  EngineWorld world;
  TaskSpec spec = Spec();
  std::vector<TaskId> expected;
  for (size_t i = 0; i < kFanIn; ++i) {
    const TaskId task = world.DoSpawn();
    spec.dependencies.push_back({.task = task, .on_failure = OnFailure::kRun});
    expected.push_back(i % 2 == 0 ? task : DoRestart(world, Kill(world, task)));
  }
  const TaskView dead = Kill(world, world.DoSpawn());
  const auto restarted = world.engine->SpecOfRestart(dead, spec).dependencies;
  REQUIRE(restarted.size() == kFanIn);
  CHECK(std::ranges::equal(restarted, expected, {}, &Dependency::task));
}

TEST_CASE("A restart names its keys again, and makes the limits that went with the dead task") {
  EngineOptions options;
  options.idle_names = 0;
  EngineWorld world(options);
  const TaskView dead = Kill(world, world.DoSpawn(Keyed(Concurrency("disk", 1))));
  world.EndGroup();
  REQUIRE(!LimitOf(world, "disk").has_value());
  const auto id = Restart(world, dead);
  REQUIRE(id.ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  REQUIRE(LimitOf(world, "disk").has_value());
  CHECK(LimitOf(world, "disk")->value.number == 1);
  CHECK(LimitOf(world, "disk")->tasks == 1);
  const TaskId other = world.DoSpawn(Keyed(Concurrency("disk")));
  world.Open(1, 10);
  world.EndGroup();
  CHECK(world.StateOf(*id) == TaskState::kLeased);
  CHECK(world.StateOf(other) == TaskState::kReady);
}

TEST_CASE("A restart whose limit is gone for good is refused, and can be asked for again") {
  EngineWorld world;
  const KeyName disk = NameOf(KeyKind::kConcurrency, "disk");
  REQUIRE(world.engine->SetLimit("default", disk, {.number = 1}, world.now, world.effects).ok());
  const TaskView dead = Kill(world, world.DoSpawn(Keyed(Concurrency("disk"))));
  REQUIRE(world.engine->RemoveLimit("default", disk, world.effects).ok());
  CHECK(Reason(Restart(world, dead)) == "NO_SUCH_LIMIT");
  CHECK(world.engine->RestartedAs(dead.id.key()).empty());
  CHECK(world.engine->pending() == 0);
  REQUIRE(world.engine->SetLimit("default", disk, {.number = 1}, world.now, world.effects).ok());
  CHECK(Restart(world, dead).ok());
}

TEST_CASE("A restart needs room like any other task") {
  EngineOptions options;
  options.max_pending = 1;
  EngineWorld world(options);
  const TaskView dead = Kill(world, world.DoSpawn());
  const TaskId other = world.DoSpawn();
  CHECK(Reason(Restart(world, dead)) == "PENDING_LIMIT");
  CHECK(Reason(world.engine->CheckRestart(dead, Spec())) == "PENDING_LIMIT");
  Kill(world, other);
  CHECK(Restart(world, dead).ok());
}

}  // namespace
}  // namespace kantoku::inputs::testing
