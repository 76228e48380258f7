#include "tests/unit/inputs/engine/admission_world.h"

// Tasks whose keys had enough for all who named them when they came. They do not line up there, and
// others may take what there was before they meet an executor.
namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;

TEST_CASE("A task lines up at a key when more name it than it has room for, not before") {
  EngineWorld world;
  SpawnAll(world, std::vector<TaskSpec>(3, Keyed(Concurrency("db", 3))));
  CHECK(LimitOf(world, "db")->waiting == 0);
  SpawnAll(world, {Keyed(Concurrency("db"))});
  CHECK(LimitOf(world, "db")->waiting == 0);  // It is let in, one of them.
  SpawnAll(world, {Keyed(Concurrency("db"))});
  CHECK(LimitOf(world, "db")->waiting == 1);
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 5};
  SpawnAll(world, {Keyed(Throttled("api", 3, rate)), Keyed(Throttled("api", 2))});
  CHECK(LimitOf(world, "api")->waiting == 0);
  SpawnAll(world, {Keyed(Throttled("api", 1)), Keyed(Throttled("api", 1))});
  CHECK(LimitOf(world, "api")->waiting == 1);
}

TEST_CASE("What a key let in at once waits for that key when others have taken what there was") {
  EngineWorld world;
  const ConnectionId busy = world.Open(1, 0);
  world.Open(2, 10, {}, {"other"});
  const auto early = SpawnAll(world, std::vector<TaskSpec>(3, Keyed(Concurrency("db", 3))));
  CHECK(world.View(early[0]).cause == WaitCause::kNoCredit);
  const auto late = SpawnAll(world, std::vector<TaskSpec>(3, Keyed(Concurrency("db"), 0, "other")));
  CHECK(Dispatched(world).size() == 3);
  world.engine->SetCredit(busy, 10);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(LimitOf(world, "db")->running == 3);
  CHECK(LimitOf(world, "db")->waiting == 3);
  CHECK(world.View(early[0]).cause == WaitCause::kConcurrencyKey);
  Finish(world, late[0]);
  CHECK(Dispatched(world) == std::vector{early[0]});
}

TEST_CASE("A limit that is lowered holds for what a key let in at once") {
  EngineWorld world;
  const ConnectionId busy = world.Open(1, 0);
  SetLimit(world, "db", 5);
  SpawnAll(world, std::vector<TaskSpec>(5, Keyed(Concurrency("db"))));
  CHECK(LimitOf(world, "db")->waiting == 0);
  SetLimit(world, "db", 2);
  world.engine->SetCredit(busy, 10);
  CHECK(world.EndGroup().dispatches.size() == 2);
  CHECK(LimitOf(world, "db")->waiting == 3);
}

TEST_CASE("What a key let in at once was there before who waits, and after higher priorities") {
  const int32_t priority = GENERATE(0, 5);
  EngineWorld world;
  const ConnectionId busy = world.Open(1, 0);
  world.Open(2, 10, {}, {"other"});
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 5};
  const TaskId cheap = SpawnAll(world, {Keyed(Throttled("api", 1, rate))})[0];
  const TaskId spender = SpawnAll(world, {Keyed(Throttled("api", 3), 0, "other")})[0];
  CHECK(Dispatched(world) == std::vector{spender});
  const TaskId dear = SpawnAll(world, {Keyed(Throttled("api", 4), priority, "other")})[0];
  CHECK(Dispatched(world).empty());
  world.engine->SetCredit(busy, 10);
  world.EndGroup();  // There are two tokens.
  if (priority == 0) {
    CHECK(Dispatched(world) == std::vector{cheap});
    return;
  }
  CHECK(Dispatched(world).empty());
  CHECK(world.View(cheap).cause == WaitCause::kRateKey);
  world.Pass(Seconds(2));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{dear});
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{cheap});
}

TEST_CASE("Cheap tasks that a key let in at once do not pass the dear one before them") {
  EngineWorld world;
  const ConnectionId busy = world.Open(1, 0);
  world.Open(2, 10, {}, {"other"});
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 10};
  const TaskId dear = SpawnAll(world, {Keyed(Throttled("api", 5, rate))})[0];
  SpawnAll(world, std::vector<TaskSpec>(4, Keyed(Throttled("api", 1))));
  SpawnAll(world, {Keyed(Throttled("api", 6), 0, "other")});
  CHECK(Dispatched(world).size() == 1);
  world.engine->SetCredit(busy, 10);
  world.EndGroup();
  CHECK(Dispatched(world).empty());
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{dear});
}

TEST_CASE("What a key let in at once does not pass a higher priority on its way to an executor") {
  EngineWorld world;
  world.Open(1, 1);
  world.Open(2, 10, {}, {"other"});
  const auto low = SpawnAll(world, std::vector<TaskSpec>(3, Keyed(Concurrency("db", 3))));
  SpawnAll(world, std::vector<TaskSpec>(2, Keyed(Concurrency("db"), 0, "other")));
  CHECK(LimitOf(world, "db")->running == 3);
  const TaskId high = SpawnAll(world, {Keyed(Concurrency("db"), 5, "other")})[0];
  CHECK(Dispatched(world).empty());
  Finish(world, low[0]);
  CHECK(Dispatched(world) == std::vector{high});
}

TEST_CASE("What has ended is counted no more among those that a key would have to do") {
  EngineWorld world;
  world.Open(1, 10);
  const Rate rate{.tokens = 1'000, .period_ms = 1, .burst = 6};
  TaskKeys keys = Concurrency("db", 2);
  keys.rates.push_back({.name = "api", .cost = 3, .rate = rate});
  for (int round = 0; round < 4; ++round) {
    const auto tasks = SpawnAll(world, std::vector<TaskSpec>(2, Keyed(keys)));
    CHECK(LimitOf(world, "db")->waiting == 0);
    CHECK(LimitOf(world, "api")->waiting == 0);
    CHECK(Dispatched(world).size() == 2);
    for (const TaskId& task : tasks) Finish(world, task);
    world.Pass(Seconds(1));
    world.EndGroup();
  }
}

TEST_CASE("Fairness keys take turns with tasks that lined up and with such as did not") {
  EngineWorld world;
  const ConnectionId executor = world.Open(1, 0);
  const auto of = [](const std::string& fairness) {
    TaskKeys keys = Concurrency("db", 10);
    keys.fairness = fairness;
    return Keyed(keys);
  };
  SpawnAll(world, std::vector<TaskSpec>(10, of("busy")));
  SpawnAll(world, std::vector<TaskSpec>(10, of("quiet")));
  CHECK(LimitOf(world, "db")->waiting == 9);
  world.engine->SetCredit(executor, 8);
  world.EndGroup();
  std::map<std::string, int> got;
  for (const TaskId& task : Dispatched(world)) ++got[world.View(task).keys->fairness];
  CHECK(std::abs(got["busy"] - got["quiet"]) <= 2);
  CHECK(LimitOf(world, "db")->running == 8);
}

}  // namespace
}  // namespace kantoku::inputs::testing
