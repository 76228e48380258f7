#include <algorithm>
#include <vector>

#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;

TaskSpec ChildOf(const TaskId& parent, const TaskId& root = {}) {
  TaskSpec spec = Spec();
  spec.parent = parent;
  spec.root = root;
  return spec;
}

// A root that runs on session 1, with so many children that wait.
struct Family {
  explicit Family(EngineWorld& world, int size) : root(world.DoRun()) {
    world.engine->SetCredit(world.connection, 1);
    const auto spawned = world.Spawn(std::vector<TaskSpec>(size, ChildOf(root)));
    for (const auto& item : spawned->items) children.push_back(item.id);
    world.EndGroup();
  }
  TaskId root;
  std::vector<TaskId> children;
};

void Sweep(EngineWorld& world) {
  while (world.engine->NextWake(world.now) <= world.now.steady) world.EndGroup();
}

size_t CountIn(const EngineWorld& world, const std::vector<TaskId>& tasks, TaskState state) {
  return static_cast<size_t>(std::ranges::count_if(
      tasks, [&](const TaskId& task) { return world.StateOf(task) == state; }));
}

TEST_CASE("A child is of its parent's tree, and so is its child") {
  EngineWorld world;
  const TaskId root = world.DoSpawn();
  CHECK(world.View(root).root.empty());
  const TaskId child = world.DoSpawn(ChildOf(root));
  const TaskId grandchild = world.DoSpawn(ChildOf(child, root));
  if (GENERATE(false, true)) world.Crash();
  for (const TaskId& task : {root, child, grandchild}) CHECK(world.View(task).root == root);
  CHECK(world.View(root).parent.empty());
  CHECK(world.View(child).parent == root);
  CHECK(world.View(grandchild).parent == child);
}

TEST_CASE("A tree can be controlled, and its mark is durable, until its last member has ended") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  world.engine->SetCredit(world.connection, 0);
  const TaskId child = world.DoSpawn(ChildOf(root));
  world.engine->Finished(root, 1, world.now, world.effects);
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 0);
  }
  // Its parent has ended; the tree is named.
  const TaskId late = world.DoSpawn(ChildOf(root, root));
  CHECK(world.View(late).root == root);
  REQUIRE(*world.ControlTree(root, ControlVerb::kCancel) == TaskState::kSettling);
  Sweep(world);
  CHECK(world.StateOf(child) == TaskState::kSettling);
  CHECK(world.StateOf(late) == TaskState::kSettling);
  world.AnswerFence(child, world.View(child).dispatch, TaskState::kCancelled);
  world.AnswerFence(late, 0, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.records.trees.empty());
  CHECK(Reason(world.ControlTree(root, ControlVerb::kCancel)) == "NO_SUCH_TASK");
}

TEST_CASE(
    "A spawn under a root that is being stopped is refused, as is one into no tree of the "
    "owner's") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  const TaskId stranger = world.DoSpawn();
  uint64_t request = 0;
  const auto spawn = [&](const TaskSpec& spec, const std::string& owner = "local") {
    const std::vector<TaskSpec> specs = {Spec(), spec, Spec()};
    const auto outcome = world.engine->Spawn(
        {.name_space = "default", .owner = owner, .request = {++request, 7}, .specs = specs},
        world.now, world.effects);
    REQUIRE(outcome.ok());
    CHECK(outcome->items[0].created);
    CHECK(outcome->items[2].created);
    // Said again it is the same.
    const auto again = world.engine->Spawn(
        {.name_space = "default", .owner = owner, .request = {request, 7}, .specs = specs},
        world.now, world.effects);
    CHECK(again->items[1].refusal == outcome->items[1].refusal);
    CHECK(again->items[2].id == outcome->items[2].id);
    CHECK(outcome->items[1].id.empty());
    CHECK_FALSE(outcome->items[1].created);
    return outcome->items[1].refusal;
  };
  SECTION("there is no such parent") {
    const TaskId nobody = TaskId::Make(world.now.wall, 1, 1, 1);
    CHECK(spawn(ChildOf(nobody)) == SpawnOutcome::kParentUnknown);
  }
  SECTION("the parent has ended and its tree is not named") {
    world.engine->Finished(root, 1, world.now, world.effects);
    world.EndGroup();
    CHECK(spawn(ChildOf(root)) == SpawnOutcome::kParentUnknown);
  }
  SECTION("the parent has ended and its tree too") {
    world.engine->Finished(root, 1, world.now, world.effects);
    world.EndGroup();
    CHECK(spawn(ChildOf(root, root)) == SpawnOutcome::kParentUnknown);
  }
  SECTION("the parent is another owner's") {
    CHECK(spawn(ChildOf(root), "somebody") == SpawnOutcome::kParentUnknown);
    const TaskId nobody = TaskId::Make(world.now.wall, 1, 1, 1);
    CHECK(spawn(ChildOf(nobody, root), "somebody") == SpawnOutcome::kParentUnknown);
    world.DoSpawn(ChildOf(root));
    CHECK(spawn(ChildOf(nobody, root), "somebody") == SpawnOutcome::kParentUnknown);
  }
  SECTION("the root that is named is below another one") {
    const TaskId child = world.DoSpawn(ChildOf(root));
    const TaskId nobody = TaskId::Make(world.now.wall, 1, 1, 1);
    CHECK(spawn(ChildOf(nobody, child)) == SpawnOutcome::kParentUnknown);
  }
  SECTION("the parent is of another tree") {
    CHECK(spawn(ChildOf(root, stranger)) == SpawnOutcome::kRootMismatch);
  }
  SECTION("the tree is being stopped") {
    world.DoSpawn(ChildOf(root));
    REQUIRE(world.ControlTree(root, GENERATE(ControlVerb::kCancel, ControlVerb::kInterrupt)).ok());
    CHECK(spawn(ChildOf(root)) == SpawnOutcome::kTreeStopping);
  }
  SECTION("the tree was being stopped before a restart, and its root has ended") {
    const TaskId child = world.DoSpawn(ChildOf(root));
    REQUIRE(world.ControlTree(root, ControlVerb::kCancel).ok());
    world.engine->Finished(root, 1, world.now, world.effects);
    world.EndGroup();
    world.Crash();
    CHECK(spawn(ChildOf(child)) == SpawnOutcome::kTreeStopping);
  }
  SECTION("the parent alone is being stopped") {
    REQUIRE(world.Cancel(root).ok());
    CHECK(spawn(ChildOf(root)) == SpawnOutcome::kTreeStopping);
  }
}

TEST_CASE("A cancelled tree stops: what runs, what waits, and what would have begun meanwhile") {
  EngineWorld world;
  Family family(world, 5'000);
  CHECK(*world.ControlTree(family.root, ControlVerb::kCancel) == TaskState::kCancelling);
  world.engine->SetCredit(world.connection, 1'000);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(CountIn(world, family.children, TaskState::kReady) > 0);  // It takes more than one group.
  SECTION("at once") {}
  SECTION("over a restart") {
    world.Crash();
    world.Open(1, 1'000, {{.task = family.root, .dispatch = 1, .started = true}});
    CHECK(world.EndGroup().dispatches.empty());
  }
  Sweep(world);
  CHECK(CountIn(world, family.children, TaskState::kSettling) == 5'000);
  CHECK(world.StateOf(family.root) == TaskState::kCancelling);
}

TEST_CASE("A tree is cancelled, its root included, when only the root is there") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  CHECK(*world.ControlTree(root, ControlVerb::kCancel) == TaskState::kCancelling);
  CHECK(*world.ControlTree(root, ControlVerb::kCancel) == TaskState::kCancelling);
  Sweep(world);
  CHECK(world.records.trees.size() == 1);
  world.Nack(root, 1, NackKind::kCancelled);
  world.AnswerFence(root, 1, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.records.trees.empty());
}

TEST_CASE("A tree of a root alone is paused over a restart, and so is what joins it") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  REQUIRE(world.ControlTree(root, ControlVerb::kPause).ok());
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10, {{.task = root, .dispatch = 1, .started = true}});
  }
  const TaskId child = world.DoSpawn(ChildOf(root));
  CHECK(world.StateOf(child) == TaskState::kPaused);
}

TEST_CASE("What one task is asked comes after what its tree was asked before") {
  EngineWorld world;
  Family family(world, 5'000);
  REQUIRE(world.ControlTree(family.root, ControlVerb::kPause).ok());
  world.EndGroup();  // Some have heard, some have not.
  const TaskId& heard = family.children.back();
  const TaskId& unheard = family.children.front();
  REQUIRE(world.StateOf(heard) == TaskState::kPaused);
  REQUIRE(world.StateOf(unheard) == TaskState::kReady);
  SECTION("a resumption of one") {
    for (const TaskId& task : {heard, unheard}) {
      CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kReady);
    }
    Sweep(world);
    world.engine->SetCredit(world.connection, 10);
    CHECK(world.EndGroup().dispatches.size() == 2);
    CHECK(CountIn(world, family.children, TaskState::kPaused) == 4'998);
  }
  SECTION("a pause of one") {
    REQUIRE(world.ControlTree(family.root, ControlVerb::kResume).ok());
    for (const TaskId& task : {heard, unheard}) {
      CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPaused);
    }
    Sweep(world);
    CHECK(CountIn(world, family.children, TaskState::kPaused) == 2);
  }
  SECTION("a step of all") {
    REQUIRE(world.ControlTree(family.root, ControlVerb::kStep).ok());
    Sweep(world);
    world.engine->SetCredit(world.connection, 1'000);
    world.EndGroup();
    CHECK(world.last.dispatches.size() == 999);
    CHECK(world.last.dispatches.front().pause);
  }
}

TEST_CASE("A step of a tree steps its root once") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  REQUIRE(world.ControlTree(root, ControlVerb::kPause).ok());
  world.SayPaused(root, true, 1);
  world.EndGroup();
  REQUIRE(*world.ControlTree(root, ControlVerb::kStep) == TaskState::kPausing);
  world.SayPaused(root, true, 2);
  Sweep(world);
  CHECK(world.StateOf(root) == TaskState::kPaused);
}

TEST_CASE("The sweeps of trees take turns") {
  EngineWorld world;
  Family large(world, 10'000);
  const TaskId small = world.DoSpawn();
  const TaskId child = world.DoSpawn(ChildOf(small));
  REQUIRE(world.ControlTree(large.root, ControlVerb::kPause).ok());
  world.EndGroup();
  REQUIRE(world.ControlTree(small, ControlVerb::kCancel).ok());
  REQUIRE(world.ControlTree(large.root, ControlVerb::kPause).ok());
  world.EndGroup();
  CHECK(world.StateOf(child) == TaskState::kSettling);
  CHECK(CountIn(world, large.children, TaskState::kReady) > 0);
}

TEST_CASE("A child names no tree") {
  EngineWorld world;
  const Family family(world, 1);
  CHECK(Reason(world.ControlTree(family.children[0], ControlVerb::kCancel)) == "NO_SUCH_TASK");
}

TEST_CASE("An interrupt of a tree gives every handler the time that it names, over a restart too") {
  EngineWorld world;
  const Family family(world, 1);
  world.engine->SetCredit(world.connection, 10);
  world.EndGroup();
  REQUIRE(world.StateOf(family.children[0]) == TaskState::kLeased);
  REQUIRE(world.engine
              ->Control({.task = family.root,
                         .verb = ControlVerb::kInterrupt,
                         .tree = true,
                         .escalation = Seconds(7)},
                        world.now, world.effects)
              .ok());
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10,
               {{.task = family.root, .dispatch = 1, .started = true},
                {.task = family.children[0], .dispatch = 1}});
  } else {
    world.Pass(Seconds(1));
  }
  Sweep(world);
  CHECK(world.StateOf(family.children[0]) == TaskState::kInterrupting);
  CHECK(Reason(world.ControlTree(family.root, ControlVerb::kPause)) == "TASK_STOPPING");
  world.Pass(Seconds(6) - absl::Milliseconds(1));
  world.EndGroup();
  CHECK(world.StateOf(family.root) == TaskState::kInterrupting);
  world.Pass(absl::Milliseconds(1));
  world.EndGroup();
  CHECK(world.StateOf(family.root) == TaskState::kSettling);
  CHECK(world.StateOf(family.children[0]) == TaskState::kSettling);
}

TEST_CASE("A paused tree is paused, and so is what joins it, until it is resumed") {
  EngineWorld world;
  Family family(world, 5'000);
  CHECK(*world.ControlTree(family.root, ControlVerb::kPause) == TaskState::kPausing);
  const bool early_crash = GENERATE(false, true);
  const bool late_crash = GENERATE(false, true);
  world.EndGroup();
  const auto crash = [&] {
    world.Crash();
    world.Open(1, 1'000, {{.task = family.root, .dispatch = 1, .started = true}});
  };
  if (early_crash) crash();
  world.engine->SetCredit(world.connection, 1'000);
  Sweep(world);
  family.children.push_back(world.DoSpawn(ChildOf(family.root)));
  if (late_crash) crash();
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(CountIn(world, family.children, TaskState::kPaused) == 5'001);
  SECTION("all of it") {
    CHECK(*world.ControlTree(family.root, ControlVerb::kResume) == TaskState::kResuming);
    world.EndGroup();
    if (early_crash) crash();
    Sweep(world);
    world.EndGroup();
    CHECK(CountIn(world, family.children, TaskState::kPaused) == 0);
    CHECK(world.records.trees.empty());
    CHECK(world.StateOf(world.DoSpawn(ChildOf(family.root))) != TaskState::kPaused);
  }
  SECTION("one of it, which a restart does not undo") {
    REQUIRE(world.Control(family.children[3], ControlVerb::kResume).ok());
    REQUIRE(world.EndGroup().dispatches.size() == 1);
    if (early_crash) crash();
    Sweep(world);
    CHECK(CountIn(world, family.children, TaskState::kPaused) == 5'000);
  }
  SECTION("by steps") {
    REQUIRE(world.ControlTree(family.root, ControlVerb::kStep).ok());
    Sweep(world);
    CHECK(CountIn(world, family.children, TaskState::kLeased) > 900);
  }
}

TEST_CASE("Who does not belong to a large tree does not wait until it has stopped") {
  EngineWorld world;
  Family family(world, 10'000);
  REQUIRE(world.ControlTree(family.root, ControlVerb::kCancel).ok());
  const TaskId other = world.DoSpawn(Spec("work", 1));
  world.engine->SetCredit(world.connection, 2);
  world.EndGroup();
  CHECK(world.StateOf(other) == TaskState::kLeased);
  CHECK(CountIn(world, family.children, TaskState::kReady) > 0);
}

TEST_CASE("A list can be of one tree") {
  EngineWorld world;
  const Family family(world, 3);
  world.DoSpawn();
  std::optional<TaskKey> from;
  const TaskFilter filter{.name_space = "default", .viewer = As(), .root = family.root};
  CHECK(world.engine->List(filter, 100, 100, from).size() == 4);
}

}  // namespace
}  // namespace kantoku::inputs::testing
