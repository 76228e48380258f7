#include "tests/unit/inputs/engine/admission_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Minutes;
using absl::Seconds;

// ---- Pauses ----

TEST_CASE(
    "Nothing of a paused type is dispatched, what runs goes on, and the pause outlives a restart") {
  EngineWorld world;
  const TaskId running = world.DoRun();
  const auto pause = [&](const std::string& type, bool paused) {
    return Reason(world.engine->SetPause("default", type, paused, paused ? "broken" : "", world.now,
                                         world.effects));
  };
  CHECK(pause("work", false) == "NO_SUCH_PAUSE");
  REQUIRE(pause("work", true) == "OK");
  const TaskId task = world.DoSpawn();
  CHECK(world.last.dispatches.empty());
  CHECK(world.StateOf(running) == TaskState::kRunning);
  CHECK(world.View(task).cause == WaitCause::kPaused);
  CHECK(world.View(task).detail == R"(type "work" is paused: broken)");
  world.Crash();
  world.Open(1, 10, {{.task = running, .dispatch = 1, .started = true}}, {"work", "other"});
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.engine->Pauses("default").size() == 1);
  SECTION("until it is lifted") {
    REQUIRE(pause("work", false) == "OK");
    world.EndGroup();
    CHECK(Dispatched(world) == std::vector{task});
  }
  SECTION("and a pause of the namespace holds for types that come later, too") {
    REQUIRE(pause("", true) == "OK");
    REQUIRE(pause("work", false) == "OK");
    world.EndGroup();
    const TaskId other = world.DoSpawn(Spec("other"));
    CHECK(world.last.dispatches.empty());
    CHECK(world.View(other).detail == "the namespace is paused: broken");
    REQUIRE(pause("", false) == "OK");
    CHECK(world.EndGroup().dispatches.size() == 2);
  }
}

TEST_CASE("A paused type keeps no slot from others, and a delay shows the pause first") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work", "other"});
  REQUIRE(Reason(world.engine->SetPause("default", "work", true, "", world.now, world.effects)) ==
          "OK");
  world.DoSpawn(Keyed(Concurrency("db", 1), 9));
  TaskSpec delayed = Spec();
  delayed.not_before = world.now.wall + Minutes(1);
  CHECK(world.View(world.DoSpawn(delayed)).cause == WaitCause::kPaused);
  const TaskId other = world.DoSpawn(Keyed(Concurrency("db"), 0, "other"));
  CHECK(Dispatched(world) == std::vector{other});
}

// ---- What is set ----

TEST_CASE(
    "A key without a limit is refused unless the spec makes one, and the first one made holds") {
  EngineWorld world;
  const auto outcome =
      world.Spawn({Keyed(Concurrency("db")), Keyed(Concurrency("db", 3)),
                   Keyed(Concurrency("db", 7)), Keyed(Throttled("api", 1)), Keyed(Fair("share"))});
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].refusal == SpawnOutcome::kNoSuchLimit);
  CHECK(outcome->items[0].about ==
        R"(concurrency_keys: there is no limit for "db", and the spec makes none)");
  CHECK(outcome->items[1].created);
  CHECK(outcome->items[2].created);
  CHECK(outcome->items[3].refusal == SpawnOutcome::kNoSuchLimit);
  CHECK(outcome->items[4].created);
  world.EndGroup();
  CHECK(LimitOf(world, "db")->value.number == 3);
  CHECK(LimitOf(world, "db")->tasks == 2);
}

TEST_CASE("A cost beyond the burst that is set is refused") {
  EngineWorld world;
  REQUIRE(world.engine
              ->SetLimit("default", NameOf(KeyKind::kRate, "api"),
                         {.rate = {.tokens = 1, .period_ms = 1'000, .burst = 5}}, world.now,
                         world.effects)
              .ok());
  const auto outcome = world.Spawn({Keyed(Throttled("api", 6)), Keyed(Throttled("api", 5))});
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].refusal == SpawnOutcome::kCostExceedsBurst);
  CHECK(outcome->items[1].created);
}

TEST_CASE(
    "A limit that a task has made goes with the last task that names it, one that was set stays") {
  EngineOptions options;
  options.idle_names = 0;
  EngineWorld world(options);
  world.Open(1, 10);
  SetLimit(world, "set", 1);
  TaskKeys keys = Concurrency("made", 1);
  keys.concurrency.push_back({"set", KeyScope::kNamespace, 0});
  const TaskId task = world.DoSpawn(Keyed(keys));
  CHECK(world.records.limits.size() == 2);
  CHECK(LimitOf(world, "made")->transient);
  const auto remove = [&](const std::string& key) {
    return Reason(
        world.engine->RemoveLimit("default", NameOf(KeyKind::kConcurrency, key), world.effects));
  };
  CHECK(remove("set") == "LIMIT_IN_USE");
  Finish(world, task);
  CHECK_FALSE(LimitOf(world, "made").has_value());
  CHECK(world.records.limits.size() == 1);
  CHECK(remove("made") == "NO_SUCH_LIMIT");
  CHECK(remove("set") == "OK");
  world.EndGroup();
  CHECK(world.records.limits.empty());
}

TEST_CASE("A rate that a task has made stays until its bucket is full") {
  EngineOptions options;
  options.idle_names = 0;
  EngineWorld world(options);
  world.Open(1, 10);
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 3};
  Finish(world, world.DoSpawn(Keyed(Throttled("api", 3, rate))));
  CHECK(LimitOf(world, "api").has_value());
  world.Pass(Seconds(3));
  world.EndGroup();
  CHECK_FALSE(LimitOf(world, "api").has_value());
}

TEST_CASE("More keys than a namespace may have refuse the whole call") {
  EngineOptions options;
  options.max_keys = 3;
  EngineWorld world(options);
  SetLimit(world, "set", 1);
  TaskKeys keys = Concurrency("a", 1);
  keys.ordering = "b";
  world.DoSpawn(Keyed(keys));
  CHECK(Reason(world.Spawn({Keyed(Ordered("c"))})) == "KEY_LIMIT");
  CHECK(Reason(world.Spawn({Keyed(keys), Keyed(Ordered("b"))})) == "OK");
  CHECK(Reason(world.engine->SetLimit("default", NameOf(KeyKind::kFairness, "d"), {.number = 2},
                                      world.now, world.effects)) == "KEY_LIMIT");
}

TEST_CASE("Limits are listed in the order of their names, page by page") {
  EngineWorld world;
  for (const char* const key : {"c", "a", "d", "b"}) SetLimit(world, key, 1);
  world.DoSpawn(Keyed(Ordered("order")));
  std::string names;
  std::optional<std::string> from;
  int pages = 0;
  do {
    for (const LimitView& view : world.engine->Limits("default", 3, from, world.now)) {
      names += view.name.key;
    }
    ++pages;
  } while (from.has_value());
  CHECK(names == "abcd");
  CHECK(pages == 2);
}

TEST_CASE("Tasks that may be refused for their limits are bounded as repeats are") {
  EngineWorld world({.max_repeats = 3});
  const bool rate = GENERATE(false, true);
  const TaskSpec spec = Keyed(rate ? Throttled("none", 1) : Concurrency("none"));
  const auto refused = [&](size_t count) {
    return world.Spawn(std::vector<TaskSpec>(count, spec));
  };
  const auto outcome = refused(3);
  REQUIRE(outcome.ok());
  CHECK(outcome->items[2].refusal == SpawnOutcome::kNoSuchLimit);
  world.EndGroup();
  CHECK(Reason(refused(1)) == "REPEAT_LIMIT");
  CHECK(world.Spawn({Keyed(Ordered("a")), Keyed(Fair("b"))}).ok());
}

}  // namespace
}  // namespace kantoku::inputs::testing
