// Bounds of namespaces and types.
#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

EngineOptions Bounded(uint64_t all, uint64_t of_type, uint64_t bytes = UINT64_MAX) {
  EngineOptions options;
  options.quotas = {{.name_space = "default", .max_tasks = all, .max_bytes = bytes},
                    {.name_space = "default", .type = "scarce", .max_tasks = of_type}};
  return options;
}

std::vector<std::string_view> RefusalsOf(const absl::StatusOr<SpawnOutcome>& outcome) {
  REQUIRE(outcome.ok());
  std::vector<std::string_view> refusals;
  for (const auto& item : outcome->items) {
    CHECK(item.created == item.refusal.empty());
    CHECK(item.id.empty() == !item.created);
    refusals.push_back(item.refusal);
  }
  return refusals;
}

void End(EngineWorld& world, const TaskId& task) {
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  world.AnswerFence(task, 0, TaskState::kCancelled);
  world.EndGroup();
}

TEST_CASE("A batch is taken as far as there is room, each type by its own bound") {
  EngineWorld world(Bounded(4, 1));
  const std::vector<TaskSpec> specs = {Spec("scarce"), Spec("scarce"), Spec(), Spec(),
                                       Spec("scarce"), Spec(),         Spec()};
  const auto outcome = world.Spawn(specs, 1);
  const std::vector<std::string_view> expected = {
      "", "TYPE_PENDING_LIMIT", "", "", "TYPE_PENDING_LIMIT", "", "NAMESPACE_LIMIT"};
  CHECK(RefusalsOf(outcome) == expected);
  CHECK(world.engine->pending() == 4);
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  // The same call is answered the same, whatever room there is by now.
  End(world, outcome->items[0].id);
  const auto again = world.Spawn(specs, 1);
  CHECK(again->repeated);
  CHECK(RefusalsOf(again) == expected);
  for (size_t i = 0; i < specs.size(); ++i) CHECK(again->items[i].id == outcome->items[i].id);
  CHECK(RefusalsOf(world.Spawn({Spec("scarce")})) == std::vector<std::string_view>{""});
}

TEST_CASE("What lives after a restart counts, and each end makes room") {
  EngineWorld world(Bounded(2, 2));
  const TaskId first = world.DoSpawn();
  world.DoSpawn();
  world.Crash();
  CHECK(RefusalsOf(world.Spawn({Spec()})).front() == "NAMESPACE_LIMIT");
  End(world, first);
  CHECK(RefusalsOf(world.Spawn({Spec(), Spec()})) ==
        std::vector<std::string_view>{"", "NAMESPACE_LIMIT"});
}

TEST_CASE("Bytes are bounded, and one task that is larger than all of it is taken alone") {
  EngineWorld world(Bounded(100, 100, 1'000));
  TaskSpec spec = Spec();
  spec.stored_bytes = 600;
  TaskSpec small = Spec();
  small.stored_bytes = 400;
  const TaskId first = world.DoSpawn(spec);
  CHECK(RefusalsOf(world.Spawn({spec, small, small})) ==
        std::vector<std::string_view>{"NAMESPACE_BYTES", "", "NAMESPACE_BYTES"});
  world.EndGroup();
  EngineWorld empty(Bounded(100, 100, 100));
  CHECK(RefusalsOf(empty.Spawn({spec, small})) ==
        std::vector<std::string_view>{"", "NAMESPACE_BYTES"});
  CHECK(first != TaskId());
}

TEST_CASE("Bytes of a type are bounded, also after a restart, and each end makes room") {
  EngineOptions options;
  options.quotas = {{.name_space = "default", .type = "scarce", .max_bytes = 1'000}};
  EngineWorld world(options);
  TaskSpec large = Spec("scarce");
  large.stored_bytes = 600;
  TaskSpec small = Spec("scarce");
  small.stored_bytes = 400;
  TaskSpec other = Spec();
  other.stored_bytes = 5'000;
  const TaskId first = world.DoSpawn(large);
  if (GENERATE(false, true)) world.Crash();
  CHECK(RefusalsOf(world.Spawn({large, other, small, small})) ==
        std::vector<std::string_view>{"TYPE_BYTES", "", "", "TYPE_BYTES"});
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  CHECK(RefusalsOf(world.Spawn({small})).front() == "TYPE_BYTES");
  End(world, first);
  CHECK(RefusalsOf(world.Spawn({large, small})) == std::vector<std::string_view>{"", "TYPE_BYTES"});
}

TEST_CASE(
    "A call of which nothing has room leaves nothing behind, and may be sent again as it is") {
  EngineWorld world(Bounded(1, 1));
  const TaskId first = world.DoSpawn();
  CHECK(RefusalsOf(world.Spawn({Spec(), Spec()}, 7)) ==
        std::vector<std::string_view>(2, "NAMESPACE_LIMIT"));
  world.EndGroup();
  CHECK(world.records.requests.size() == 1);
  End(world, first);
  const auto taken = world.Spawn({Spec(), Spec()}, 7);
  CHECK(!taken->repeated);
  CHECK(RefusalsOf(taken) == std::vector<std::string_view>{"", "NAMESPACE_LIMIT"});
}

TEST_CASE("A repeated reference needs no room, and other namespaces have their own") {
  EngineWorld world(Bounded(1, 1));
  const TaskId holder = world.DoSpawn(Referenced("mine"));
  const auto again = world.Spawn({Referenced("mine")});
  CHECK(again->items[0].id == holder);
  CHECK(again->items[0].refusal.empty());
  const std::vector<TaskSpec> specs(3, Spec());
  const auto other = world.engine->Spawn({.name_space = "lab",
                                          .owner = "local",
                                          .request = {99, 0},
                                          .content = {1, 0},
                                          .specs = specs,
                                          .random = 5},
                                         world.now, world.effects);
  CHECK(RefusalsOf(other) == std::vector<std::string_view>(3, ""));
}

TEST_CASE("Runs of what has no room are remembered as one, and only so many") {
  EngineWorld world(Bounded(5'000, 0));
  std::vector<TaskSpec> specs;
  specs.reserve(4'000);
  for (int i = 0; i < 4'000; ++i) specs.push_back(Spec(i % 2 == 0 ? "scarce" : "work"));
  const auto outcome = world.Spawn(specs, 1);
  REQUIRE(outcome.ok());
  // A thousand runs, then all that follows.
  CHECK(world.engine->pending() == 999);
  CHECK(outcome->items[3'999].refusal == "TYPE_PENDING_LIMIT");
  world.EndGroup();
  CHECK(world.records.requests.begin()->second.exceptions.size() == 1'000);
  world.Crash();
  const auto again = world.Spawn(specs, 1);
  for (size_t i = 0; i < specs.size(); ++i) {
    CHECK(again->items[i].id == outcome->items[i].id);
    CHECK(again->items[i].refusal == outcome->items[i].refusal);
  }
}

TEST_CASE("A task that waits for another counts, until it has ended with it") {
  EngineWorld world(Bounded(2, 2));
  const TaskId task = world.DoSpawn();
  TaskSpec after = Spec();
  after.dependencies.push_back({.task = task});
  const TaskId waiting = world.DoSpawn(after);
  if (GENERATE(false, true)) world.Crash();
  REQUIRE(world.StateOf(waiting) == TaskState::kBlocked);
  CHECK(RefusalsOf(world.Spawn({Spec()})).front() == "NAMESPACE_LIMIT");
  End(world, task);
  CHECK(RefusalsOf(world.Spawn({Spec()})).front().empty());
  CHECK(RefusalsOf(world.Spawn({Spec()})).front() == "NAMESPACE_LIMIT");
  world.AnswerFence(waiting, 0, TaskState::kFailed);
  world.EndGroup();
  CHECK(RefusalsOf(world.Spawn({Spec()})).front().empty());
}

TEST_CASE("What depends on an item without room is refused with it, and the rest is taken") {
  EngineWorld world(Bounded(100, 0));
  TaskSpec after = Spec();
  after.dependencies.push_back({.place = 0});
  const auto outcome = world.Spawn({Spec("scarce"), after, Spec()});
  CHECK(RefusalsOf(outcome) ==
        std::vector<std::string_view>{"TYPE_PENDING_LIMIT", "DEPENDENCY_REFUSED", ""});
}

TEST_CASE("A restart needs the room of its type") {
  EngineWorld world(Bounded(2, 1));
  const TaskId task = world.DoSpawn(Spec("scarce"));
  REQUIRE(world.Cancel(task).ok());
  world.EndGroup();
  world.AnswerFence(task, 0, TaskState::kCancelled);
  world.EndGroup();
  const TaskView dead = world.Ended(task).value();
  world.DoSpawn(Spec("scarce"));
  CHECK(Reason(world.engine->CheckRestart(dead, Spec("scarce"))) == "TYPE_PENDING_LIMIT");
}

}  // namespace
}  // namespace kantoku::inputs::testing
