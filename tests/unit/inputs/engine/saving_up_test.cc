#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/admission.h"
#include "tests/unit/inputs/engine/admission_world.h"

// Tasks of several keys, which save up what they need.
namespace kantoku::inputs::testing {
namespace {

TEST_CASE("A task of two keys is dispatched although single tasks keep both of them busy") {
  EngineWorld world;
  world.Open(1, 10);
  std::map<std::string, TaskId> running;
  for (const char* const key : {"left", "right"}) {
    running[key] = world.DoSpawn(Keyed(Concurrency(key, 1)));
    for (int i = 0; i < 3; ++i) world.DoSpawn(Keyed(Concurrency(key)));
  }
  TaskKeys both;
  both.concurrency = {{"left", KeyScope::kNamespace, 0}, {"right", KeyScope::kNamespace, 0}};
  const TaskId task = world.DoSpawn(Keyed(both));
  int rounds = 0;
  for (; world.StateOf(task) == TaskState::kReady && rounds < 200; ++rounds) {
    auto& ended = running[rounds % 2 == 0 ? "left" : "right"];
    const std::string key = rounds % 2 == 0 ? "left" : "right";
    world.DoSpawn(Keyed(Concurrency(key)));
    if (world.engine->Find(ended).has_value()) Finish(world, ended);
    for (const TaskId& each : Dispatched(world)) {
      if (each == task) break;
      running[world.View(each).keys->concurrency.front().name] = each;
    }
  }
  CHECK(world.StateOf(task) == TaskState::kLeased);
  CHECK(rounds < 200);
  Finish(world, task);
  CHECK(Dispatched(world).size() == 2);  // The other two keys' tasks go on.
}

// Single tasks keep two keys busy, until a task of both, and of a large tree, has saved up the slot
// of one and waits for that of the other.
struct Saver {
  explicit Saver(EngineWorld& in) : world(in) {
    world.Open(1, 10);
    for (const char* const key : {"left", "right"}) {
      SetLimit(world, key, 1);
      running[key] = world.DoSpawn(Keyed(Concurrency(key)));
    }
    root = world.DoSpawn(Spec("rare"));
    TaskKeys both;
    both.concurrency = {{"left", KeyScope::kNamespace, 0}, {"right", KeyScope::kNamespace, 0}};
    TaskSpec spec = Keyed(both);
    spec.parent = root;
    task = world.DoSpawn(spec);
    TaskSpec other = Spec("rare");
    other.parent = root;
    SpawnAll(world, std::vector<TaskSpec>(20, other));  // Who comes last is swept first.
    for (bool left = true; !saved_up; left = !left) {
      const std::string key = left ? "left" : "right";
      next[key] = world.DoSpawn(Keyed(Concurrency(key)));
      Finish(world, running.at(key));
      REQUIRE(world.StateOf(task) == TaskState::kReady);
      saved_up = Dispatched(world).empty();
      if (saved_up) continue;
      REQUIRE(Dispatched(world) == std::vector{next.at(key)});
      running[key] = next.at(key);
    }
    REQUIRE(LimitOf(world, "left")->running == 1);
    REQUIRE(world.StateOf(next.at("left")) == TaskState::kReady);
    next["right"] = world.DoSpawn(Keyed(Concurrency("right")));
  }

  // The tree is asked, and the other slot becomes free, in one group, in which no sweep gets there.
  void FinishAndAsk(ControlVerb verb) {
    REQUIRE(world.ControlTree(root, verb).ok());
    Finish(world, running.at("right"));
  }
  std::vector<TaskId> Next() const { return {next.at("left"), next.at("right")}; }

  EngineWorld& world;
  TaskId root;
  TaskId task;
  std::map<std::string, TaskId> running;
  std::map<std::string, TaskId> next;
  bool saved_up = false;
};

TEST_CASE(
    "A task that hears at dispatch that its tree is stopped gives back what it has saved up") {
  EngineWorld world({.tree_sweep = 8});
  Saver saver(world);
  saver.FinishAndAsk(ControlVerb::kCancel);
  CHECK(world.StateOf(saver.task) == TaskState::kSettling);
  CHECK(std::ranges::is_permutation(Dispatched(world), saver.Next()));
  world.AnswerFence(saver.task, 0, TaskState::kCancelled);
  world.Pass(2 * Admission::kElderPatience);
  world.EndGroup();
  for (const TaskId& task : saver.Next()) Finish(world, task);
  CHECK(LimitOf(world, "left")->running == 0);
  CHECK(LimitOf(world, "right")->running == 0);
}

TEST_CASE("A task that hears at dispatch that its tree is paused gives back what it has saved up") {
  EngineWorld world({.tree_sweep = 8});
  Saver saver(world);
  saver.FinishAndAsk(ControlVerb::kPause);
  CHECK(world.StateOf(saver.task) == TaskState::kPaused);
  CHECK(std::ranges::is_permutation(Dispatched(world), saver.Next()));
  world.Pass(2 * Admission::kElderPatience);
  world.EndGroup();
  CHECK(world.View(saver.task).cause == WaitCause::kPaused);
  REQUIRE(Reason(world.Control(saver.task, ControlVerb::kResume)) == "OK");
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(LimitOf(world, "left")->waiting + LimitOf(world, "right")->waiting == 1);
  for (const TaskId& task : saver.Next()) Finish(world, task);
  CHECK(Dispatched(world) == std::vector{saver.task});
  Finish(world, saver.task);
  CHECK(LimitOf(world, "left")->running + LimitOf(world, "right")->running == 0);
  CHECK(LimitOf(world, "left")->waiting + LimitOf(world, "right")->waiting == 0);
}

TEST_CASE("A limit that is lowered holds for what is saved up, too") {
  EngineWorld world;
  Saver saver(world);
  SetLimit(world, "left", 2);
  CHECK(Dispatched(world) == std::vector{saver.next.at("left")});
  SetLimit(world, "left", 1);
  Finish(world, saver.running.at("right"));
  CHECK(world.StateOf(saver.task) == TaskState::kReady);
  CHECK(Dispatched(world) == std::vector{saver.next.at("right")});
  CHECK(LimitOf(world, "left")->running == 1);
  for (const TaskId& task : saver.Next()) Finish(world, task);
  CHECK(Dispatched(world) == std::vector{saver.task});
}

// What was dispatched of a rate key, when.
struct Takes {
  Rate rate;
  std::vector<std::pair<absl::Duration, double>> takes = {};

  // The most by which any stretch of time has more than the burst and what the rate adds.
  double Excess() const {
    double excess = 0;
    for (size_t from = 0; from < takes.size(); ++from) {
      double sum = 0;
      for (size_t to = from; to < takes.size(); ++to) {
        sum += takes[to].second;
        const double seconds = absl::ToDoubleSeconds(takes[to].first - takes[from].first);
        excess = std::max(excess, sum - rate.burst - seconds / rate.SecondsFor(1));
      }
    }
    return excess;
  }
};

TEST_CASE("No stretch of time has more of a rate than it gives, whatever is saved up") {
  EngineWorld world;
  world.Open(1, 10);
  std::mt19937_64 random(5);
  std::map<std::string, Takes> rates;
  TaskKeys all;
  for (uint32_t i = 0; i < 4; ++i) {
    const Rate rate{.tokens = 1, .period_ms = 900 + 100 * i, .burst = 1 + i % 2};
    const std::string name = absl::StrCat("rate", i);
    rates[name].rate = rate;
    all.rates.push_back({name, KeyScope::kNamespace, 1, rate});
  }
  std::map<TaskId, TaskKeys> waiting;
  std::vector<TaskId> running;
  int of_all = 0;
  const auto note = [&] {
    for (const TaskId& task : Dispatched(world)) {
      const TaskKeys& keys = waiting.at(task);
      if (keys.rates.size() > 1) ++of_all;
      for (const auto& rate : keys.rates) {
        rates.at(rate.name).takes.emplace_back(world.now.steady, rate.cost);
      }
      waiting.erase(task);
      running.push_back(task);
    }
  };
  for (int step = 0; step < 6'000; ++step) {
    world.Pass(absl::Milliseconds(random() % 600));
    world.EndGroup();
    note();
    for (size_t i = 0; i < all.rates.size() && waiting.size() < 60; ++i) {
      TaskKeys keys{.rates = {all.rates[i]}};
      if (random() % 10 == 0) keys = all;
      if (random() % 2 == 0) continue;
      waiting.emplace(world.DoSpawn(Keyed(keys)), keys);
      note();
    }
    // The executor is busy now and then, and then has room for several at once.
    if (random() % 5 != 0) continue;
    for (const TaskId& task : std::exchange(running, {})) {
      world.engine->Finished(task, world.View(task).dispatch, world.now, world.effects);
    }
    world.EndGroup();
    note();
  }
  // What waits is let in by the times that are told, without anybody's coming.
  while (!waiting.empty()) {
    for (const TaskId& task : std::exchange(running, {})) {
      world.engine->Finished(task, world.View(task).dispatch, world.now, world.effects);
    }
    const absl::Duration wake = world.engine->NextWake(world.now);
    REQUIRE(wake < world.now.steady + absl::Seconds(20));
    world.Pass(std::max(wake - world.now.steady, absl::ZeroDuration()));
    world.EndGroup();
    note();
  }
  CHECK(of_all > 50);
  for (const auto& [key, takes] : rates) {
    CAPTURE(key, takes.takes.size());
    CHECK(takes.Excess() < 1e-3);
  }
}

}  // namespace
}  // namespace kantoku::inputs::testing
