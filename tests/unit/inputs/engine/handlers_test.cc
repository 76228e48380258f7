#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/unit/inputs/engine/engine_world.h"

// What handlers spawn with their task tokens, and who is said to have caused it.
namespace kantoku::inputs::testing {
namespace {

SpawningHandler HandlerOf(const TaskId& task, uint32_t dispatch = 1) {
  return {.task = task, .dispatch = dispatch, .executor_owner = "lab"};
}

TaskSpec ChildOf(const TaskId& parent) {
  TaskSpec spec = Spec();
  spec.parent = parent;
  return spec;
}

// With a task token; the group has ended.
TaskId DoSpawnAs(EngineWorld& world, const TaskId& parent, const TaskSpec& spec) {
  const auto outcome = world.SpawnAs(HandlerOf(parent), "worker", {spec});
  REQUIRE(outcome.ok());
  REQUIRE(outcome->items.front().created);
  world.EndGroup();
  return outcome->items.front().id;
}
TaskId DoSpawnAs(EngineWorld& world, const TaskId& parent) {
  return DoSpawnAs(world, parent, ChildOf(parent));
}

// Why the only spec is not taken; empty: it is.
std::string_view Refused(EngineWorld& world, const SpawningHandler& handler, const TaskSpec& spec) {
  const auto outcome = world.SpawnAs(handler, "worker", {spec});
  REQUIRE(outcome.ok());
  return outcome->items.front().refusal;
}

// What a task that runs has spawned runs beside it.
void Run(EngineWorld& world, const TaskId& task) {
  REQUIRE(Reason(world.engine->Started(world.connection, task, 1, world.now, world.effects)) ==
          "OK");
  world.EndGroup();
}

void DependOn(TaskSpec& spec, const TaskId& task, bool argument) {
  spec.dependencies.push_back({.task = task, .on_failure = OnFailure::kRun, .argument = argument});
}

TEST_CASE("A task says with which app it was spawned, and by whose handler, over a crash too") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  const TaskId child = DoSpawnAs(world, root);
  const TaskId grandchild = world.DoSpawn(ChildOf(child));
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.View(root).provenance.app == "app");
  CHECK(world.View(root).provenance.executor_owner.empty());
  CHECK(world.View(root).provenance.root_app.empty());
  CHECK(world.View(root).provenance.ancestors == nullptr);
  const Provenance of_child = world.View(child).provenance;
  CHECK(of_child.app == "worker");
  CHECK(of_child.executor_owner == "lab");
  CHECK(of_child.root_app == "app");
  CHECK(*of_child.ancestors == Ancestors{root});
  CHECK(world.View(child).owner == "local");
  const Provenance of_grandchild = world.View(grandchild).provenance;
  CHECK(of_grandchild.app == "app");
  CHECK(of_grandchild.executor_owner.empty());
  CHECK(of_grandchild.root_app == "app");
  CHECK(*of_grandchild.ancestors == Ancestors{child, root});
}

TEST_CASE("Who is above a task is known when those have ended, to those who come later too") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  const TaskId parent = DoSpawnAs(world, root);
  Run(world, parent);
  world.engine->SetCredit(world.connection, 0);
  const TaskId child = DoSpawnAs(world, parent);
  world.engine->Finished(root, 1, world.now, world.effects);
  world.engine->Finished(parent, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(*world.Ended(parent)->provenance.ancestors == Ancestors{root});
  CHECK(world.Ended(parent)->provenance.root_app == "app");
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 0);
  }
  TaskSpec late = ChildOf(parent);
  late.root = root;
  for (const TaskId& task : {child, world.DoSpawn(late)}) {
    CHECK(*world.View(task).provenance.ancestors == Ancestors{parent, root});
    CHECK(world.View(task).provenance.root_app == "app");
  }
  TaskSpec stranger = ChildOf(TaskId::Make(world.now.wall, world.engine->SlotOf("default"), 0, 7));
  stranger.root = root;
  CHECK(*world.View(world.DoSpawn(stranger)).provenance.ancestors ==
        Ancestors{stranger.parent, root});
}

TEST_CASE("Who names a parent that has ended learns nothing of other trees in which it was named") {
  EngineWorld world;
  const TaskId gone = TaskId::Make(world.now.wall, world.engine->SlotOf("default"), 0, 7);
  std::vector<std::pair<TaskId, TaskId>> trees;  // Root and child.
  for (int i = 0; i < 2; ++i) {
    const TaskId root = world.DoSpawn();
    TaskSpec spec = ChildOf(gone);
    spec.root = root;
    trees.emplace_back(root, world.DoSpawn(spec));
  }
  if (GENERATE(false, true)) world.Crash();
  for (const auto& [root, child] : trees) {
    CHECK(*world.View(child).provenance.ancestors == Ancestors{gone, root});
  }
}

TEST_CASE("Of a long line the nearest 64 are known") {
  EngineWorld world;
  TaskId last = world.DoSpawn();
  std::vector<TaskId> line;
  for (int i = 0; i < 70; ++i) {
    line.insert(line.begin(), last);
    last = world.DoSpawn(ChildOf(last));
  }
  if (GENERATE(false, true)) world.Crash();
  line.resize(kMostAncestors);
  CHECK(*world.View(last).provenance.ancestors == line);
}

TEST_CASE("A task token is good while its dispatch is held, and for nothing afterwards") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const std::vector<TaskSpec> specs = {ChildOf(task)};
  const auto why = [&](const SpawningHandler& handler) {
    return Reason(world.SpawnAs(handler, "worker", specs, 7, 7));
  };
  CHECK(why(HandlerOf(task, 2)) == "STALE_TASK_TOKEN");
  CHECK(why(HandlerOf(task)) == "OK");
  world.EndGroup();
  CHECK(why(HandlerOf(task)) == "OK");  // The same call again.
  SECTION("It was handed back") { world.Nack(task, 1, NackKind::kReturned); }
  SECTION("It has succeeded") { world.engine->Finished(task, 1, world.now, world.effects); }
  SECTION("Its executor was lost") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.EndGroup();
    CHECK(why(HandlerOf(task)) == "OK");  // He may come back.
    world.Pass(world.options.grace);
    world.EndGroup();
  }
  SECTION("It was given to somebody else") {
    world.Nack(task, 1, NackKind::kReturned);
    world.Open(2, 10);
    world.Redeliver(task, 1);
    REQUIRE(world.View(task).dispatch == 2);
    CHECK(why(HandlerOf(task, 2)) == "OK");
  }
  CHECK(why(HandlerOf(task)) == "STALE_TASK_TOKEN");
}

TEST_CASE("A handler's references are its task's, and tell nothing of the owner's") {
  EngineWorld world;
  const TaskId owners = world.DoSpawn(Referenced("mine", 5));
  const TaskId task = world.DoRun();
  const TaskId other = DoSpawnAs(world, task);
  Run(world, other);
  const auto spawn = [&](const TaskId& parent) {
    TaskSpec spec = Referenced("mine", 1);
    spec.parent = parent;
    const auto outcome = world.SpawnAs(HandlerOf(parent), "worker", {spec});
    REQUIRE(outcome.ok());
    world.EndGroup();
    return outcome->items.front();
  };
  const auto first = spawn(task);
  CHECK(first.created);
  CHECK(spawn(other).created);
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10,
               {{.task = task, .dispatch = 1, .started = true},
                {.task = other, .dispatch = 1, .started = true}});
  }
  CHECK_FALSE(spawn(task).created);
  CHECK(spawn(task).id == first.id);
  CHECK(spawn(task).conflict.empty());
  const auto of_owner = world.Spawn({Referenced("mine", 5)});
  CHECK(of_owner->items.front().id == owners);
}

TEST_CASE("A handler names as dependencies its own children and what its task depends on") {
  EngineWorld world;
  const TaskId secret = world.DoSpawn();
  const TaskId task = world.DoRun();
  world.engine->SetCredit(world.connection, 0);
  const TaskId by_owner = world.DoSpawn(ChildOf(task));
  const TaskId by_handler = DoSpawnAs(world, task);
  const absl::flat_hash_map<TaskId, bool> own = {{secret, GENERATE(false, true)}};
  const auto may = [&](const TaskId& dependency, bool argument, bool inherits) {
    SpawningHandler handler = HandlerOf(task);
    if (inherits) handler.dependencies = &own;
    TaskSpec spec = ChildOf(task);
    DependOn(spec, dependency, argument);
    const std::string_view refusal = Refused(world, handler, spec);
    CHECK((refusal.empty() || refusal == "DEPENDENCY_UNKNOWN"));
    return refusal.empty();
  };
  CHECK(may(by_handler, true, false));
  CHECK_FALSE(may(by_owner, false, false));
  CHECK_FALSE(may(secret, false, false));
  CHECK_FALSE(may(task, false, true));
  CHECK(may(secret, false, true));
  CHECK(may(secret, true, true) == own.at(secret));
}

TEST_CASE("A handler spawns into its task's context, or into none") {
  EngineWorld world;
  const auto in = [](TaskSpec spec, const std::string& context) {
    spec.info = std::make_shared<const Info>(Info{context, {}});
    return spec;
  };
  const bool has_one = GENERATE(false, true);
  const TaskId task = world.DoRun(has_one ? in(Spec(), "run 7") : Spec());
  CHECK(Refused(world, HandlerOf(task), ChildOf(task)).empty());
  CHECK(Refused(world, HandlerOf(task), in(ChildOf(task), "run 7")).empty() == has_one);
  CHECK(Refused(world, HandlerOf(task), in(ChildOf(task), "run 8")) == "TASK_TOKEN_CONTEXT");
}

TEST_CASE("A restart keeps who is above it, and says who restarted it") {
  EngineWorld world;
  const TaskId root = world.DoRun();
  const TaskId parent = DoSpawnAs(world, root);
  const TaskId child = DoSpawnAs(world, root, [&] {
    TaskSpec spec = Referenced("mine");
    spec.parent = root;
    return spec;
  }());
  const auto restart = [&](const TaskId& task) {
    const TaskView dead = *world.Ended(task);
    TaskSpec spec = world.engine->SpecOfRestart(dead, world.records.specs.at(task.key()).spec);
    spec.provenance.app = "desk";
    const auto again = world.engine->Restart(dead, spec, 9, world.now, world.effects);
    REQUIRE(again.ok());
    world.records.AddSpec(*again, dead.name_space, dead.owner, spec);
    world.EndGroup();
    return *again;
  };
  const auto fail = [&](const TaskId& task) {
    world.Nack(task, 1, NackKind::kFailedFinally);
    world.EndGroup();
    world.AnswerFence(task, 1, TaskState::kFailed);
    world.EndGroup();
  };
  fail(child);
  const TaskId again = restart(child);
  fail(root);
  const TaskId new_root = restart(root);
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.View(again).provenance.app == "desk");
  CHECK(world.View(again).provenance.executor_owner == "lab");
  CHECK(world.View(again).provenance.root_app == "app");
  CHECK(*world.View(again).provenance.ancestors == Ancestors{root});
  CHECK(world.View(again).reference == "mine");
  CHECK(world.View(new_root).provenance.app == "desk");
  CHECK(world.View(new_root).provenance.root_app == "app");
  CHECK(world.View(new_root).provenance.ancestors == nullptr);
  CHECK(world.View(parent).provenance.root_app == "app");
  // The reference is the task's handlers' still, and of nobody else.
  const auto of_owner = world.Spawn({Referenced("mine")});
  CHECK(of_owner->items.front().created);
}

}  // namespace
}  // namespace kantoku::inputs::testing
