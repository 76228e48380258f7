#include <algorithm>
#include <vector>

#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

TaskSpec After(const std::vector<TaskId>& tasks, OnFailure on_failure = OnFailure::kFail) {
  TaskSpec spec = Spec();
  for (const TaskId& task : tasks) {
    spec.dependencies.push_back({.task = task, .on_failure = on_failure});
  }
  return spec;
}

TaskSpec AfterPlace(uint32_t place, OnFailure on_failure = OnFailure::kFail) {
  TaskSpec spec = Spec();
  spec.dependencies.push_back({.place = place, .on_failure = on_failure});
  return spec;
}

void Sweep(EngineWorld& world) {
  do world.EndGroup();
  while (world.engine->NextWake(world.now) <= world.now.steady);
}

// Ends a task that runs on session 1.
void Succeed(EngineWorld& world, const TaskId& task) {
  world.engine->Finished(task, world.View(task).dispatch, world.now, world.effects);
  world.EndGroup();
}
void Fail(EngineWorld& world, const TaskId& task) {
  const uint32_t dispatch = world.View(task).dispatch;
  world.Nack(task, dispatch, NackKind::kFailedFinally);
  world.EndGroup();
  world.AnswerFence(task, dispatch, TaskState::kFailed);
  world.EndGroup();
}

TEST_CASE("A task waits until all that it depends on have succeeded") {
  EngineWorld world;
  const TaskId first = world.DoRun();
  const TaskId second = world.DoRun();
  const TaskId task = world.DoSpawn(After({first, second}));
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10, {{first, 1, true}, {second, 1, true}});
  }
  CHECK(world.StateOf(task) == TaskState::kBlocked);
  CHECK(world.View(task).cause == WaitCause::kDependency);
  CHECK(world.View(task).open_dependencies == 2);
  Succeed(world, first);
  CHECK(world.StateOf(task) == TaskState::kBlocked);
  CHECK(world.View(task).open_dependencies == 1);
  CHECK(world.View(task).open_dependency == second);
  Succeed(world, second);
  CHECK(world.StateOf(task) == TaskState::kLeased);  // In the group in which the last one ended.
  CHECK(world.View(task).open_dependencies == 0);
}

TEST_CASE("Who depends on a task that has ended hears of it at once") {
  EngineWorld world;
  const TaskId ended = world.DoRun();
  Succeed(world, ended);
  world.engine->SetCredit(world.connection, 0);
  const auto end = GENERATE(TaskState::kSucceeded, TaskState::kFailed);
  const absl::flat_hash_map<TaskId, TaskState> known = {{ended, end}};
  const std::vector<TaskSpec> specs = {After({ended}), After({ended}, OnFailure::kSkip),
                                       After({ended}, OnFailure::kRun)};
  const SpawnCommand command{.name_space = "default",
                             .owner = "local",
                             .request = {77, 0},
                             .specs = specs,
                             .ended = &known};
  CHECK(world.engine->EndedDependencies(command) == std::vector<TaskId>{ended});
  const auto outcome = world.engine->Spawn(command, world.now, world.effects);
  world.records.AddSpecs("default", "local", specs, *outcome, world.engine.get());
  CHECK(world.engine->EndedDependencies(command).empty());  // A repeat asks nobody.
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const bool good = end == TaskState::kSucceeded;
  const auto state_of = [&](size_t item) { return world.StateOf(outcome->items[item].id); };
  CHECK(state_of(0) == (good ? TaskState::kReady : TaskState::kSettling));
  CHECK(state_of(1) == (good ? TaskState::kReady : TaskState::kSettling));
  CHECK(state_of(2) == TaskState::kReady);
}

TEST_CASE("A failed dependency fails, skips or frees those that wait, as they asked") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const TaskId failed = world.DoSpawn(After({task}));
  const TaskId skipped = world.DoSpawn(After({task}, OnFailure::kSkip));
  const TaskId run = world.DoSpawn(After({task}, OnFailure::kRun));
  Fail(world, task);
  CHECK(world.StateOf(run) == TaskState::kLeased);
  CHECK(world.StateOf(failed) == TaskState::kSettling);
  if (GENERATE(false, true)) world.Crash();
  CHECK(world.View(failed).last_failure.reason == "DEPENDENCY_FAILED");
  CHECK(world.View(failed).last_failure.message ==
        "depends on " + task.ToString() + ", which ended as FAILED");
  CHECK(world.View(skipped).last_failure.reason == "SKIPPED");
  world.AnswerFence(failed, 0, TaskState::kFailed);
  world.AnswerFence(skipped, 0, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.Ended(failed)->state == TaskState::kFailed);
  CHECK(world.Ended(skipped)->state == TaskState::kCancelled);
  CHECK(world.records.ended_dependencies.empty());
}

TEST_CASE("Those that have not heard of a failure hear of it after a crash") {
  EngineOptions options;
  options.dependency_sweep = 1;
  EngineWorld world(options);
  const TaskId task = world.DoRun();
  std::vector<TaskId> waiting;
  waiting.reserve(5);
  for (int i = 0; i < 5; ++i) waiting.push_back(world.DoSpawn(After({task})));
  Fail(world, task);
  const auto settling = [&] {
    return std::ranges::count_if(
        waiting, [&](const TaskId& id) { return world.StateOf(id) == TaskState::kSettling; });
  };
  CHECK(settling() == 1);
  CHECK(world.records.ended_dependencies.size() == 1);
  world.Crash();
  CHECK(settling() == 1);
  Sweep(world);
  CHECK(settling() == 5);
  CHECK(world.records.ended_dependencies.empty());
}

TEST_CASE("A cancelled task is a failed one to those that depend on it") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  const TaskId failed = world.DoSpawn(After({task}));
  const TaskId run = world.DoSpawn(After({task}, OnFailure::kRun));
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  // It was never dispatched, so it will end so. Who wants to run waits until it has.
  CHECK(world.View(failed).last_failure.message ==
        "depends on " + task.ToString() + ", which ended as CANCELLED");
  CHECK(world.StateOf(failed) == TaskState::kSettling);
  CHECK(world.StateOf(run) == TaskState::kBlocked);
  CHECK(world.StateOf(world.DoSpawn(After({task}))) == TaskState::kSettling);
  if (GENERATE(false, true)) world.Crash();
  world.AnswerFence(task, 0, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.StateOf(run) == TaskState::kReady);
}

TEST_CASE("After a crash those that wait for what will fail hear of it") {
  EngineOptions options;
  options.dependency_sweep = 1;
  EngineWorld world(options);
  const TaskId task = world.DoSpawn();
  const TaskId first = world.DoSpawn(After({task}));
  const TaskId second = world.DoSpawn(After({task}));
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  world.Crash();
  Sweep(world);
  CHECK(world.StateOf(first) == TaskState::kSettling);
  CHECK(world.StateOf(second) == TaskState::kSettling);
}

TEST_CASE("A blocked task can be cancelled and is waited for no longer") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const TaskId blocked = world.DoSpawn(After({task}));
  REQUIRE(*world.Cancel(blocked) == TaskState::kSettling);
  CHECK(world.View(blocked).open_dependencies == 0);
  world.AnswerFence(blocked, 0, TaskState::kCancelled);
  Succeed(world, task);
  CHECK(world.engine->pending() == 0);
}

TEST_CASE("A blocked task can be paused, and stays so when nothing blocks it any more") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const TaskId blocked = world.DoSpawn(After({task}));
  CHECK(*world.Control(blocked, ControlVerb::kPause) == TaskState::kPaused);
  CHECK(*world.Control(blocked, ControlVerb::kResume) == TaskState::kBlocked);
  CHECK(*world.Control(blocked, ControlVerb::kPause) == TaskState::kPaused);
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10, {{task, 1, true}});
  }
  CHECK(world.View(blocked).open_dependencies == 1);
  Succeed(world, task);
  CHECK(world.StateOf(blocked) == TaskState::kPaused);
  CHECK(*world.Control(blocked, ControlVerb::kResume) == TaskState::kReady);
}

TEST_CASE("The delay of a blocked task goes on") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  TaskSpec spec = After({task});
  spec.not_before = world.now.wall + absl::Seconds(10);
  const TaskId late = world.DoSpawn(spec);
  spec.not_before = world.now.wall + absl::Seconds(30);
  const TaskId later = world.DoSpawn(spec);
  world.Pass(absl::Seconds(20));
  world.EndGroup();
  CHECK(world.StateOf(late) == TaskState::kBlocked);
  Succeed(world, task);
  CHECK(world.StateOf(late) == TaskState::kLeased);
  CHECK(world.StateOf(later) == TaskState::kScheduled);
}

TEST_CASE("When a tree is cancelled its blocked members are cancelled, not failed") {
  EngineOptions options;
  options.tree_sweep = 1;
  EngineWorld world(options);
  const TaskId root = world.DoRun();
  world.engine->SetCredit(world.connection, 1);
  std::vector<TaskId> chain = {root};
  for (int i = 0; i < 6; ++i) {
    TaskSpec spec = i == 0 ? Spec() : After({chain.back()});
    spec.parent = root;
    chain.push_back(world.DoSpawn(spec));
  }
  REQUIRE(world.ControlTree(root, ControlVerb::kCancel).ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  Sweep(world);
  for (size_t i = 1; i < chain.size(); ++i) {
    CHECK(world.View(chain[i]).last_failure.reason == "CANCELLED");
  }
}

TEST_CASE("Items of a batch may depend on earlier ones") {
  EngineWorld world;
  const auto outcome = world.Spawn({Spec(), AfterPlace(0), AfterPlace(1)});
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const auto id = [&](size_t item) { return outcome->items[item].id; };
  CHECK(world.StateOf(id(0)) == TaskState::kReady);
  CHECK(world.View(id(1)).open_dependency == id(0));
  CHECK(world.View(id(2)).open_dependency == id(1));
}

TEST_CASE("Who depends on an item that was refused is refused, and remembered so") {
  EngineWorld world;
  TaskSpec orphan = Spec();
  orphan.parent = TaskId::Make(world.now.wall, world.engine->SlotOf("default"), 7, 7);
  const std::vector<TaskSpec> specs = {orphan, AfterPlace(0), AfterPlace(1), Spec(),
                                       After({orphan.parent})};
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto outcome = world.Spawn(specs, 5, 5);
    CHECK(outcome->repeated == (repeat == 1));
    CHECK(outcome->items[0].refusal == SpawnOutcome::kParentUnknown);
    CHECK(outcome->items[1].refusal == SpawnOutcome::kDependencyRefused);
    CHECK(outcome->items[2].refusal == SpawnOutcome::kDependencyRefused);
    CHECK(outcome->items[3].created);
    CHECK(outcome->items[4].refusal == SpawnOutcome::kDependencyUnknown);
    world.EndGroup();
    world.Crash();
  }
  CHECK(world.engine->pending() == 1);
}

TEST_CASE("Another owner's task cannot be depended on") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  const std::vector<TaskSpec> specs = {After({task})};
  const auto refusal = [&](std::string_view name_space, std::string_view owner) {
    return world.engine
        ->Spawn({.name_space = name_space, .owner = owner, .request = {9, 9}, .specs = specs},
                world.now, world.effects)
        ->items[0]
        .refusal;
  };
  CHECK((GENERATE(false, true) ? refusal("default", "other") : refusal("other", "local")) ==
        SpawnOutcome::kDependencyUnknown);
}

TEST_CASE("A repeated reference is compared by the tasks that it depends on") {
  EngineWorld world;
  const TaskId other = world.DoSpawn();
  TaskSpec second = Referenced("second");
  second.dependencies = {{.place = 0}};
  const auto outcome = world.Spawn({Referenced("first"), second});
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const TaskId first = outcome->items[0].id;
  const auto repeat = [&](const TaskSpec& spec) {
    return world.Spawn({Referenced("first"), spec})->items[1];
  };
  CHECK(repeat(second).id == outcome->items[1].id);
  CHECK(repeat(second).conflict.empty());
  second.dependencies = {{.task = first}};  // The same one by its id.
  CHECK(repeat(second).conflict.empty());
  second.dependencies = {{.task = other}};
  CHECK(repeat(second).conflict == "dependencies");
  second.dependencies = {{.task = first, .on_failure = OnFailure::kSkip}};
  CHECK(repeat(second).conflict == "dependencies");
  second.dependencies = {};
  CHECK(repeat(second).conflict == "dependencies");
}

TEST_CASE("Who depends on a reference that was taken waits for its holder") {
  EngineWorld world;
  world.DoSpawn(Referenced("first"));
  const auto outcome = world.Spawn({Referenced("first"), AfterPlace(0)});
  CHECK(world.View(outcome->items[1].id).open_dependency == outcome->items[0].id);
  const auto other = world.Spawn({Referenced("first", 2), AfterPlace(0)});
  CHECK(other->items[1].refusal == SpawnOutcome::kDependencyRefused);
}

TEST_CASE("There are no more dependencies than may be") {
  EngineOptions options;
  options.max_dependencies = 3;
  EngineWorld world(options);
  const TaskId a = world.DoSpawn();
  const TaskId b = world.DoSpawn();
  const TaskId first = world.DoSpawn(After({a, b}));
  CHECK(Reason(world.Spawn({After({a, b})})) == "DEPENDENCY_LIMIT");
  CHECK(Reason(world.Spawn({After({a})})) == "OK");
  REQUIRE(world.Cancel(first).ok());
  CHECK(Reason(world.Spawn({After({a, b})})) == "OK");
}

// Chains and fans at full size; what every edge costs must not depend on how many there are.
TEST_CASE("A chain of 100,000 tasks runs, link by link") {
  constexpr uint32_t kLength = 100'000;
  EngineWorld world;
  std::vector<TaskSpec> specs = {Spec()};
  while (specs.size() < kLength)
    specs.push_back(AfterPlace(static_cast<uint32_t>(specs.size() - 1)));
  const auto outcome = world.Spawn(specs);
  world.Open(1, 10);
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();
    world.Open(1, 10, {{outcome->items[0].id, 1, true}});
    world.EndGroup();
  }
  for (const auto& item : outcome->items) {
    if (world.StateOf(item.id) != TaskState::kLeased) REQUIRE(item.id == outcome->items[0].id);
    world.engine->Finished(item.id, 1, world.now, world.effects);
    world.EndGroup();
  }
  CHECK(world.engine->pending() == 0);
}

TEST_CASE("A chain of 100,000 tasks fails in bounded steps") {
  constexpr uint32_t kLength = 100'000;
  EngineWorld world;
  std::vector<TaskSpec> specs = {Spec()};
  while (specs.size() < kLength)
    specs.push_back(AfterPlace(static_cast<uint32_t>(specs.size() - 1)));
  const auto outcome = world.Spawn(specs);
  world.EndGroup();
  REQUIRE(world.Cancel(outcome->items[0].id).ok());
  size_t groups = 0;
  size_t most = 0;
  do {
    world.EndGroup();
    ++groups;
    most = std::max(most, world.last.states.size());
    for (const FenceMessage& fence : world.last.fences) {
      world.AnswerFence(fence.task, fence.dispatch, fence.settlement->end);
    }
    if (groups == 10) world.Crash();
    for (const FenceMessage& fence : world.effects.fences) {  // Those that recovery asks.
      world.AnswerFence(fence.task, fence.dispatch, fence.settlement->end);
    }
  } while (world.engine->NextWake(world.now) <= world.now.steady);
  CHECK(world.engine->pending() == 0);
  CHECK(most <= 3 * world.options.dependency_sweep);
  CHECK(groups <= 200);
}

TEST_CASE("A task waits for 10,000 others, and 100,000 wait for one") {
  EngineWorld world;
  const auto many = world.Spawn(std::vector<TaskSpec>(10'000, Spec()));
  std::vector<TaskId> ids;
  for (const auto& item : many->items) ids.push_back(item.id);
  const TaskId one = world.DoSpawn(After(ids));
  const auto fan = world.Spawn(std::vector<TaskSpec>(100'000, After({one})));
  world.Open(1, 0);
  world.EndGroup();
  CHECK(world.View(one).open_dependencies == 10'000);
  const bool last_fails = GENERATE(false, true);
  if (last_fails) REQUIRE(world.Cancel(ids.back()).ok());
  for (const TaskId& id : ids) {
    if (last_fails && id == ids.back()) break;
    world.engine->Finished(id, 1, world.now, world.effects);
  }
  Sweep(world);
  CHECK(world.StateOf(one) == (last_fails ? TaskState::kSettling : TaskState::kReady));
  if (!last_fails) world.engine->Finished(one, 1, world.now, world.effects);
  Sweep(world);
  const TaskState expected = last_fails ? TaskState::kSettling : TaskState::kReady;
  CHECK(std::ranges::all_of(fan->items,
                            [&](const auto& item) { return world.StateOf(item.id) == expected; }));
}

}  // namespace
}  // namespace kantoku::inputs::testing
