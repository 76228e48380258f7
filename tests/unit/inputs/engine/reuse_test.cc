#include "tests/unit/inputs/engine/engine_world.h"

// Results of PURE tasks that later ones take instead of running.
namespace kantoku::inputs::testing {
namespace {

using absl::Hours;
using absl::Minutes;
using absl::Seconds;

constexpr uint32_t kHour = 3'600'000;

TaskSpec Pure(uint64_t equal = 1, uint32_t reuse_within_ms = 0) {
  TaskSpec spec = Spec();
  spec.effect = Effect::kPure;
  spec.equal = {equal, equal};
  spec.reuse_within_ms = reuse_within_ms;
  return spec;
}

TaskId Succeed(EngineWorld& world, const TaskSpec& spec) {
  const TaskId task = world.DoRun(spec);
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  return task;
}

SpawnOutcome::Item SpawnItem(EngineWorld& world, const TaskSpec& spec) {
  const auto outcome = world.Spawn({spec});
  REQUIRE(Reason(outcome) == "OK");
  world.EndGroup();
  return outcome->items[0];
}

bool IsReused(EngineWorld& world, const TaskSpec& spec) { return SpawnItem(world, spec).reused; }

TEST_CASE("A PURE task takes the result of an equal one that is young enough, and nothing runs") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  const auto item = SpawnItem(world, Pure(1, kHour));
  CHECK(item.reused);
  CHECK_FALSE(item.created);
  CHECK(item.id == first);
  CHECK(item.conflict.empty());
  CHECK(world.last.dispatches.empty());
  CHECK(world.last.events.empty());
  CHECK(world.engine->pending() == 0);
}

TEST_CASE("Who does not ask for it, or asks for another argument, runs") {
  EngineWorld world;
  Succeed(world, Pure());
  CHECK_FALSE(IsReused(world, Pure()));
  CHECK_FALSE(IsReused(world, Pure(2, kHour)));
}

TEST_CASE("A result that is as old as it may be is not reused") {
  EngineWorld world;
  Succeed(world, Pure());
  world.Pass(Hours(1) - Seconds(1));
  CHECK(IsReused(world, Pure(1, kHour)));
  world.Pass(Seconds(1));
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
}

TEST_CASE("Only a success is reused: neither what runs nor what failed") {
  EngineWorld world;
  const TaskId task = world.DoRun(Pure());
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
  world.Nack(task, 1, NackKind::kFailedFinally);
  world.EndGroup();
  world.AnswerFence(task, 1, TaskState::kFailed);
  world.EndGroup();
  CHECK(world.records.reuses.empty());
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
}

TEST_CASE("Of equal results the latest is reused, and the earlier record goes") {
  EngineWorld world;
  Succeed(world, Pure());
  world.Pass(Minutes(1));
  const TaskId second = Succeed(world, Pure());
  CHECK(world.records.reuses.size() == 1);
  CHECK(SpawnItem(world, Pure(1, kHour)).id == second);
}

TEST_CASE("A result that Outputs may have forgotten is not reused, whenever Inputs heard of it") {
  EngineWorld world;
  TaskSpec spec = Pure();
  spec.retention_s = 600;
  // Put at once, and acknowledged nine minutes later.
  const TaskId task = world.DoRun(spec);
  world.Pass(Minutes(8));
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(IsReused(world, Pure(1, kHour)));
  world.Pass(Minutes(1) + Seconds(1));
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
  CHECK(world.records.reuses.empty());
}

TEST_CASE("A result whose time is over when Inputs hears of it is not kept") {
  EngineWorld world;
  TaskSpec spec = Pure();
  spec.retention_s = 60;
  const TaskId task = world.DoRun(spec);
  world.Pass(Minutes(1));
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.records.reuses.empty());
}

TEST_CASE("Results that may be reused are known after a restart, and so is how old they are") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  world.Pass(Minutes(59));
  world.Crash();
  CHECK(SpawnItem(world, Pure(1, kHour)).id == first);
  world.Pass(Minutes(1));
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
}

TEST_CASE("After a restart a task that runs is still kept for reuse when it succeeds") {
  EngineWorld world;
  const TaskId task = world.DoRun(Pure());
  world.Crash();
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(SpawnItem(world, Pure(1, kHour)).id == task);
}

TEST_CASE("A result that came when the clock had been set back is not reused for too long") {
  EngineWorld world;
  TaskSpec spec = Pure();
  spec.retention_s = 600;
  const TaskId task = world.DoRun(spec);
  world.now.wall -= Minutes(30);
  world.Crash();
  // Put at once, and acknowledged nine minutes later.
  world.Pass(Minutes(9));
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  world.Pass(Minutes(1) + Seconds(1));
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
}

TEST_CASE("A repeated call gets the same result again, also after a restart") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  const std::vector<TaskSpec> specs = {Pure(2, kHour), Pure(1, kHour), Spec()};
  const auto answer = world.Spawn(specs, 7, 7);
  REQUIRE(answer.ok());
  world.EndGroup();
  world.Pass(Minutes(5));
  for (const bool crash : {false, true}) {
    if (crash) world.Crash();
    const auto again = world.Spawn(specs, 7, 7);
    REQUIRE(again.ok());
    CHECK(again->repeated);
    CHECK(again->items[0].id == answer->items[0].id);
    CHECK(again->items[1].id == first);
    CHECK(again->items[1].reused);
    CHECK(again->items[2].id == answer->items[2].id);
    CHECK(again->items[2].created);
  }
}

TEST_CASE("A reference that is taken goes before reuse, and a reused result takes none") {
  EngineWorld world;
  TaskSpec named = Pure(1, kHour);
  named.reference = "name";
  const TaskId first = Succeed(world, Pure());
  CHECK(SpawnItem(world, named).id == first);
  CHECK(world.records.references.empty());
  named.reuse_within_ms = 0;
  const TaskId holder = SpawnItem(world, named).id;
  named.reuse_within_ms = kHour;
  const auto item = SpawnItem(world, named);
  CHECK(item.id == holder);
  CHECK_FALSE(item.reused);
}

TEST_CASE("A child of a tree that is being stopped is refused before its result is looked for") {
  EngineWorld world;
  Succeed(world, Pure());
  const TaskId parent = world.DoSpawn();
  TaskSpec child = Spec();
  child.parent = parent;
  world.DoSpawn(child);
  REQUIRE(world.ControlTree(parent, ControlVerb::kCancel).ok());
  child = Pure(1, kHour);
  child.parent = parent;
  CHECK(SpawnItem(world, child).refusal == SpawnOutcome::kTreeStopping);
}

// That nobody here knows.
TaskId Other(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'600'000'000), 0, sequence, 0);
}

TaskSpec PureAfter(const std::vector<Dependency>& dependencies) {
  TaskSpec spec = Pure(1, kHour);
  spec.dependencies = dependencies;
  return spec;
}

TEST_CASE("Who depends on an item whose result is reused depends on that task, which succeeded") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  world.engine->SetCredit(world.connection, 0);
  TaskSpec after = Spec();
  after.dependencies = {{.place = 0, .on_failure = GENERATE(OnFailure::kFail, OnFailure::kSkip)}};
  after.reference = "name";
  const auto outcome = world.Spawn({Pure(1, kHour), after});
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].reused);
  REQUIRE(outcome->items[1].created);
  const TaskId id = outcome->items[1].id;
  if (GENERATE(false, true)) {
    world.EndGroup();
    world.Crash();
  }
  CHECK(world.View(id).open_dependencies == 0);
  CHECK(world.StateOf(id) == TaskState::kReady);
  // By its id it is the same dependency.
  after.dependencies[0] = {.task = first, .on_failure = after.dependencies[0].on_failure};
  const auto again = world.Spawn({after});
  REQUIRE(again.ok());
  CHECK(again->items[0].id == id);
  CHECK(again->items[0].conflict.empty());
}

TEST_CASE("The result of an item that was reused may be an argument") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  TaskSpec after = Spec();
  after.dependencies = {{.place = 0, .argument = true}};
  const auto outcome = world.Spawn({Pure(1, kHour), after});
  REQUIRE(outcome->items[1].created);
  world.EndGroup();
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK(world.last.dispatches[0].task == outcome->items[1].id);
  CHECK(world.last.dispatches[0].arguments);
  CHECK(world.records.specs.at(outcome->items[1].id.key()).spec.dependencies[0].task == first);
}

TEST_CASE("Who comes after others reuses a result only when these have ended so that it may run") {
  EngineWorld world;
  const TaskId first = Succeed(world, Pure());
  const TaskId running = world.DoRun();
  const absl::flat_hash_map<TaskId, TaskState> ended = {{first, TaskState::kSucceeded},
                                                        {Other(8), TaskState::kFailed}};
  const auto item = [&](const std::vector<Dependency>& dependencies) {
    const std::vector<TaskSpec> specs = {PureAfter(dependencies)};
    static uint64_t request = 1'000;
    const SpawnCommand command{.name_space = "default",
                               .owner = "local",
                               .request = {++request, 0},
                               .specs = specs,
                               .ended = &ended};
    return world.engine->Spawn(command, world.now, world.effects)->items[0];
  };
  CHECK(item({}).id == first);
  CHECK(item({{.task = first}}).id == first);
  CHECK(item({{.task = first}, {.task = running}}).created);
  CHECK(item({{.task = Other(8), .on_failure = OnFailure::kRun}}).id == first);
  const auto given_up = item({{.task = Other(8)}});
  REQUIRE(given_up.created);
  CHECK(world.StateOf(given_up.id) == TaskState::kSettling);
  CHECK(item({{.task = Other(9)}}).refusal == SpawnOutcome::kDependencyUnknown);
}

TEST_CASE("A batch of equal tasks that follow each other is reused as a whole") {
  EngineWorld world;
  Succeed(world, Pure());
  const TaskId second = Succeed(world, Pure(2));
  TaskSpec next = Pure(2, kHour);
  next.dependencies = {{.place = 0}};
  const auto outcome = world.Spawn({Pure(1, kHour), next});
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].reused);
  CHECK(outcome->items[1].id == second);
  // Whose predecessor runs once more runs after it.
  const auto again = world.Spawn({Pure(1), next});
  REQUIRE(again.ok());
  CHECK(again->items[1].created);
}

TEST_CASE("Results that may be reused are bounded, and the first to be forgotten leaves") {
  EngineOptions options;
  options.max_reusable = 2;
  EngineWorld world(options);
  TaskSpec shortest = Pure(1);
  shortest.retention_s = 3'600;
  Succeed(world, Pure(2));
  Succeed(world, shortest);
  CHECK(world.records.reuses.size() == 2);
  Succeed(world, Pure(3));
  CHECK(world.records.reuses.size() == 2);
  CHECK_FALSE(IsReused(world, Pure(1, kHour)));
  CHECK(IsReused(world, Pure(2, kHour)));
  CHECK(IsReused(world, Pure(3, kHour)));
}

TEST_CASE("Plain tasks leave nothing to be reused, and what is over is forgotten by itself") {
  EngineWorld world;
  Succeed(world, Spec());
  CHECK(world.records.reuses.empty());
  TaskSpec spec = Pure();
  spec.retention_s = 100;
  Succeed(world, spec);
  CHECK(world.records.reuses.size() == 1);
  CHECK(world.engine->NextWake(world.now) <= world.now.steady + Seconds(90));
  world.Pass(Seconds(91));
  world.EndGroup();
  CHECK(world.records.reuses.empty());
}

}  // namespace
}  // namespace kantoku::inputs::testing
