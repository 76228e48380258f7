#include "tests/unit/inputs/engine/admission_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Milliseconds;
using absl::Minutes;
using absl::Seconds;

// ---- Concurrency keys ----

TEST_CASE("No more tasks of a concurrency key are dispatched at once than its limit allows") {
  EngineWorld world;
  world.Open(1, 100, {}, {"work", "other"});
  world.EndGroup();
  const auto tasks =
      SpawnAll(world, {Keyed(Concurrency("db", 2)), Keyed(Concurrency("db", 9)),
                       Keyed(Concurrency("db")), Keyed(Concurrency("db"), 0, "other"), Spec()});
  CHECK(Dispatched(world).size() == 3);
  CHECK(world.StateOf(tasks[4]) == TaskState::kLeased);
  CHECK(world.View(tasks[2]).cause == WaitCause::kConcurrencyKey);
  CHECK(world.View(tasks[2]).detail == R"(concurrency key "db": 2 of 2 in use)");
  CHECK(world.View(tasks[2]).keys->concurrency.front().limit == 2);
  CHECK(world.StateOf(tasks[1]) == TaskState::kLeased);  // It came before others had to wait.
  Finish(world, tasks[0]);
  CHECK(Dispatched(world).size() == 1);
  Finish(world, tasks[1]);
  CHECK(Dispatched(world).size() == 1);
  CHECK(world.StateOf(tasks[2]) == TaskState::kLeased);
  CHECK(world.StateOf(tasks[3]) == TaskState::kLeased);
}

TEST_CASE("A limit counts unfenced dispatches, also of an executor that is lost") {
  EngineWorld world;
  const TaskId first = world.DoRun(Keyed(Concurrency("db", 1)));
  const TaskId second = world.DoSpawn(Keyed(Concurrency("db")));
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  world.Pass(Minutes(1));
  world.EndGroup();
  world.Open(2, 10);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(LimitOf(world, "db")->running == 1);
  CHECK(world.View(second).cause == WaitCause::kConcurrencyKey);
  world.AnswerFence(first, 1);
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{second});
  CHECK(LimitOf(world, "db")->running == 1);
}

TEST_CASE("A cancelled task gives its slot back when its end is in Outputs") {
  EngineWorld world;
  const TaskId first = world.DoRun(Keyed(Concurrency("db", 1)));
  const TaskId second = world.DoSpawn(Keyed(Concurrency("db")));
  REQUIRE(Reason(world.Cancel(first)) == "OK");
  world.Nack(first, 1, NackKind::kCancelled);
  CHECK(world.EndGroup().dispatches.empty());
  world.AnswerFence(first, 1, TaskState::kCancelled);
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{second});
}

TEST_CASE("Slots are taken after a restart by what may still run") {
  EngineWorld world;
  world.Open(1, 10);
  const auto tasks = SpawnAll(
      world, {Keyed(Concurrency("db", 2)), Keyed(Concurrency("db")), Keyed(Concurrency("db"))});
  world.Crash();
  CHECK(LimitOf(world, "db")->running == 2);
  world.Open(1, 10, {{.task = tasks[0], .dispatch = 1, .started = true}});
  CHECK(world.EndGroup().dispatches.empty());  // The other was taken back, and is not closed.
  CHECK(LimitOf(world, "db")->running == 2);
  world.AnswerFence(tasks[1], 1);
  world.EndGroup();
  CHECK(Dispatched(world).size() == 1);
  CHECK(LimitOf(world, "db")->running == 2);
}

TEST_CASE("A limit that changes holds at once for what waits, and what runs goes on") {
  EngineWorld world;
  world.Open(1, 10);
  SetLimit(world, "db", 3);
  const auto tasks = SpawnAll(world, std::vector<TaskSpec>(6, Keyed(Concurrency("db"))));
  CHECK(Dispatched(world).size() == 3);
  SetLimit(world, "db", 1);
  Finish(world, tasks[0]);
  Finish(world, tasks[1]);
  CHECK(world.StateOf(tasks[3]) == TaskState::kReady);
  Finish(world, tasks[2]);
  CHECK(Dispatched(world) == std::vector{tasks[3]});
  SetLimit(world, "db", 5);
  CHECK(Dispatched(world).size() == 2);
}

TEST_CASE("A key that has room again lets in the highest priority of those that wait for it") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work", "other"});
  const auto tasks = SpawnAll(
      world, {Keyed(Concurrency("db", 1)), Keyed(Concurrency("db"), 1), Keyed(Concurrency("db"), 5),
              Keyed(Concurrency("db"), 9, "other"), Keyed(Concurrency("db"), 5)});
  std::vector<TaskId> order;
  TaskId running = Dispatched(world).front();
  for (int i = 0; i < 4; ++i) {
    order.push_back(running);
    Finish(world, running);
    REQUIRE(Dispatched(world).size() == 1);
    running = Dispatched(world).front();
  }
  order.push_back(running);
  CHECK(order == std::vector{tasks[3], tasks[2], tasks[4], tasks[1], tasks[0]});
}

TEST_CASE("A task that no executor has room for keeps no slot from others") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId idle = world.DoSpawn(Keyed(Concurrency("db", 1), 100, "rare"));
  const TaskId task = world.DoSpawn(Keyed(Concurrency("db")));
  CHECK(Dispatched(world) == std::vector{task});
  CHECK(world.View(idle).cause == WaitCause::kNoImplementation);
  Finish(world, task);
  const TaskId next = world.DoSpawn(Keyed(Concurrency("db")));
  CHECK(Dispatched(world) == std::vector{next});
  world.Open(2, 10, {}, {"rare"});
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(idle).cause == WaitCause::kConcurrencyKey);
  Finish(world, next);
  CHECK(Dispatched(world) == std::vector{idle});
}

TEST_CASE("Keys of one name are apart by kind and scope") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work", "other"});
  const auto scoped = [](KeyScope scope, const std::string& type) {
    return Keyed({.concurrency = {{"db", scope, 1}}}, 0, type);
  };
  SpawnAll(world, {scoped(KeyScope::kNamespace, "work"), scoped(KeyScope::kNamespace, "other"),
                   scoped(KeyScope::kType, "work"), scoped(KeyScope::kType, "other"),
                   scoped(KeyScope::kType, "work"), scoped(KeyScope::kOwner, "work"),
                   scoped(KeyScope::kOwner, "other")});
  CHECK(Dispatched(world).size() == 4);  // One of the namespace, one a type, one of the owner.
}

// ---- Rate keys ----

TEST_CASE("A rate key gives its burst and then what its rate adds, whatever the wall clock does") {
  EngineWorld world;
  world.Open(1, 100);
  const Rate rate{.tokens = 2, .period_ms = 1'000, .burst = 3};
  const auto tasks = SpawnAll(world, std::vector<TaskSpec>(8, Keyed(Throttled("api", 1, rate))));
  CHECK(Dispatched(world).size() == 3);
  CHECK(world.View(tasks[3]).cause == WaitCause::kRateKey);
  CHECK(world.View(tasks[3]).detail == R"(rate key "api": 0 of 1 token)");
  world.now.wall += absl::Hours(10);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.engine->NextWake(world.now) == world.now.steady + Milliseconds(500));
  world.Pass(Milliseconds(499));
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Milliseconds(1));
  CHECK(world.EndGroup().dispatches.size() == 1);
  world.now.wall -= absl::Hours(20);
  world.Pass(Seconds(1));
  CHECK(world.EndGroup().dispatches.size() == 2);
}

TEST_CASE("Buckets are empty after a restart") {
  EngineWorld world;
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 5};
  const auto tasks = SpawnAll(world, std::vector<TaskSpec>(3, Keyed(Throttled("api", 1, rate))));
  world.Crash();
  world.Open(1, 100);
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Seconds(1));
  CHECK(world.EndGroup().dispatches.size() == 1);
  world.Pass(Seconds(2));
  CHECK(world.EndGroup().dispatches.size() == 2);
}

TEST_CASE("A task that costs several tokens gets them although later ones cost one") {
  EngineWorld world;
  world.Open(1, 100);
  const Rate rate{.tokens = 1, .period_ms = 1'000, .burst = 4};
  const auto spend = SpawnAll(world, {Keyed(Throttled("api", 4, rate))});
  const TaskId dear = world.DoSpawn(Keyed(Throttled("api", 4)));
  const TaskId cheap = world.DoSpawn(Keyed(Throttled("api", 1)));
  world.Pass(Seconds(3));
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(cheap).cause == WaitCause::kRateKey);
  CHECK(world.View(cheap).detail == R"(rate key "api": 3 of 1 token, and others are before it)");
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{dear});
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{cheap});
}

// ---- Ordering keys ----

TEST_CASE("Tasks of an ordering key are dispatched one at a time in spawn order, not by priority") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work", "other"});
  const auto tasks =
      SpawnAll(world, {Keyed(Ordered("lab"), 0), Keyed(Ordered("lab"), 9),
                       Keyed(Ordered("lab"), 5, "other"), Keyed(Ordered("bench"), 0)});
  CHECK(Dispatched(world).size() == 2);
  CHECK(world.View(tasks[1]).cause == WaitCause::kOrderingKey);
  CHECK(world.View(tasks[2]).detail ==
        "ordering key \"lab\": task " + tasks[0].ToString() + " is before it");
  Finish(world, tasks[0]);
  CHECK(Dispatched(world) == std::vector{tasks[1]});
  Finish(world, tasks[1]);
  CHECK(Dispatched(world) == std::vector{tasks[2]});
}

TEST_CASE("The head of an ordering key blocks until it has ended, whatever it waits for") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId first = world.DoSpawn(Keyed(Ordered("lab")));
  const TaskId second = world.DoSpawn(Keyed(Ordered("lab")));
  SECTION("a backoff") {
    world.Nack(first, 1, NackKind::kFailed);
    world.AnswerFence(first, 1);
    CHECK(world.EndGroup().dispatches.empty());
    CHECK(world.View(first).cause == WaitCause::kBackoff);
    world.Pass(Seconds(5));
    world.EndGroup();
    CHECK(Dispatched(world) == std::vector{first});
  }
  SECTION("a pause") {
    world.Nack(first, 1, NackKind::kReturned);
    REQUIRE(Reason(world.Control(first, ControlVerb::kPause)) == "OK");
    world.AnswerFence(first, 1);
    world.Pass(Minutes(5));
    CHECK(world.EndGroup().dispatches.empty());
    CHECK(world.View(second).cause == WaitCause::kOrderingKey);
    REQUIRE(Reason(world.Control(first, ControlVerb::kResume)) == "OK");
    world.EndGroup();
    CHECK(Dispatched(world) == std::vector{first});
  }
  SECTION("a settlement, until Outputs has it") {
    world.Nack(first, 1, NackKind::kFailedFinally);
    CHECK(world.EndGroup().dispatches.empty());
    world.AnswerFence(first, 1, TaskState::kFailed);
    world.EndGroup();
    CHECK(Dispatched(world) == std::vector{second});
  }
}

TEST_CASE(
    "A delayed head of an ordering key is waited for, and a cancelled follower leaves the queue") {
  EngineWorld world;
  world.Open(1, 10);
  TaskSpec delayed = Keyed(Ordered("lab"));
  delayed.not_before = world.now.wall + Minutes(1);
  const TaskId first = world.DoSpawn(delayed);
  const TaskId second = world.DoSpawn(Keyed(Ordered("lab")));
  const TaskId third = world.DoSpawn(Keyed(Ordered("lab")));
  CHECK(world.View(third).cause == WaitCause::kOrderingKey);
  REQUIRE(Reason(world.Cancel(second)) == "OK");
  world.EndGroup();
  world.AnswerFence(second, 0, TaskState::kCancelled);
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Minutes(1));
  world.EndGroup();
  CHECK(Dispatched(world) == std::vector{first});
  Finish(world, first);
  CHECK(Dispatched(world) == std::vector{third});
}

TEST_CASE("An ordering key goes on where it was after a restart") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId first = world.DoSpawn(Keyed(Ordered("lab")));
  const TaskId second = world.DoSpawn(Keyed(Ordered("lab"), 9));
  world.Crash();
  world.Open(2, 10);
  CHECK(world.EndGroup().dispatches.empty());
  world.Open(1, 10, {{.task = first, .dispatch = 1, .started = true}});
  CHECK(world.EndGroup().dispatches.empty());
  Finish(world, first);
  CHECK(Dispatched(world) == std::vector{second});
}

// ---- Fairness keys ----

TEST_CASE(
    "Fairness keys get dispatches in proportion to their weights, and priorities come first") {
  EngineWorld world;
  std::vector<TaskSpec> specs(60, Keyed(Fair("busy", 1)));
  specs.insert(specs.end(), 60, Keyed(Fair("double", 2)));
  specs.insert(specs.end(), 60, Spec());
  specs.push_back(Keyed(Fair("busy"), 1));
  const auto tasks = SpawnAll(world, specs);
  world.Open(1, 41);
  world.EndGroup();
  std::map<std::string, int> got;
  for (const TaskId& task : Dispatched(world)) {
    const auto keys = world.View(task).keys;
    ++got[keys == nullptr ? "" : keys->fairness];
  }
  CHECK(Dispatched(world).front() == tasks.back());
  CHECK(got == std::map<std::string, int>{{"busy", 11}, {"double", 20}, {"", 10}});
}

TEST_CASE("A fairness key that comes late gets its share from then on and nothing for before") {
  EngineWorld world;
  world.Open(1, 1);
  const auto early = SpawnAll(world, std::vector<TaskSpec>(40, Keyed(Fair("early"))));
  for (int i = 0; i < 20; ++i) Finish(world, Dispatched(world).front());
  const auto late = SpawnAll(world, std::vector<TaskSpec>(20, Keyed(Fair("late"))));
  int of_late = 0;
  TaskId running = early[20];
  for (int i = 0; i < 10; ++i) {
    Finish(world, running);
    running = Dispatched(world).front();
    if (std::ranges::find(late, running) != late.end()) ++of_late;
  }
  CHECK(of_late == 5);
  const TaskId waits = early.back();
  CHECK((world.View(waits).cause == WaitCause::kFairnessTurn) !=
        (world.View(late.back()).cause == WaitCause::kFairnessTurn));
}

TEST_CASE("Those that wait for one concurrency key take turns by their fairness keys") {
  EngineWorld world;
  world.Open(1, 100);
  const TaskId first = world.DoSpawn(Keyed(Concurrency("db", 1)));
  std::vector<TaskSpec> specs;
  for (const char* const fairness : {"busy", "quiet"}) {
    TaskKeys keys = Concurrency("db", 1);
    keys.fairness = fairness;
    specs.insert(specs.end(), 10, Keyed(keys));
  }
  SpawnAll(world, specs);
  Finish(world, first);
  std::map<std::string, int> got;
  for (int i = 0; i < 8; ++i) {
    REQUIRE(Dispatched(world).size() == 1);
    const TaskId task = Dispatched(world).front();
    ++got[world.View(task).keys->fairness];
    Finish(world, task);
  }
  CHECK(got == std::map<std::string, int>{{"busy", 4}, {"quiet", 4}});
}

// ---- All of it ----

TEST_CASE("A task of several keys takes all that it needs in one step, or nothing") {
  EngineWorld world;
  world.Open(1, 100);
  const Rate rate{.tokens = 1, .period_ms = 10'000, .burst = 2};
  TaskKeys all{.ordering = "lab", .fairness = "share", .weight = 3};
  all.concurrency = {{"db", KeyScope::kNamespace, 1}, {"gpu", KeyScope::kNamespace, 1}};
  all.rates = {{"api", KeyScope::kNamespace, 1, rate}};
  const TaskId holder = world.DoSpawn(Keyed(Concurrency("gpu", 1)));
  const auto tasks = SpawnAll(world, {Keyed(all, 5), Keyed(all, 9)});
  CHECK(world.last.dispatches.empty());
  CHECK(world.View(tasks[0]).detail == R"(concurrency key "gpu": 1 of 1 in use)");
  CHECK(LimitOf(world, "db")->running == 0);
  CHECK(LimitOf(world, "api")->tokens == 2);
  const TaskId single = world.DoSpawn(Keyed(Concurrency("db")));
  CHECK(Dispatched(world) == std::vector{single});
  Finish(world, holder);
  CHECK(world.last.dispatches.empty());
  CHECK(world.View(tasks[0]).detail == R"(concurrency key "db": 1 of 1 in use)");
  CHECK(world.View(tasks[1]).cause == WaitCause::kOrderingKey);
  Finish(world, single);
  CHECK(Dispatched(world) == std::vector{tasks[0]});
  CHECK(LimitOf(world, "db")->running == 1);
  CHECK(LimitOf(world, "gpu")->running == 1);
  CHECK(LimitOf(world, "api")->tokens == 1);
  Finish(world, tasks[0]);
  CHECK(Dispatched(world) == std::vector{tasks[1]});
  Finish(world, tasks[1]);
  const TaskId third = world.DoSpawn(Keyed(all));
  CHECK(world.View(third).cause == WaitCause::kRateKey);
  CHECK(LimitOf(world, "gpu")->running == 0);
}

}  // namespace
}  // namespace kantoku::inputs::testing
