#include "tests/unit/inputs/engine/admission_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Milliseconds;

Labels Named(const std::string& executor) {
  auto labels = Labels::Make({{"executor", executor}});
  REQUIRE(labels.ok());
  return *std::move(labels);
}

// A task that everything which can hold a task up holds up at first, and the others that stand in
// its way.
class Gates {
 public:
  Gates() {
    needed_ = world.DoSpawn(Spec("other"));
    slot_ = SpawnAll(world, {Keyed(Concurrency("db", 1))})[0];
    spends_ = SpawnAll(world, {Keyed(Throttled("api", 1, kSlow))})[0];
    ahead_ = SpawnAll(world, {Keyed(Ordered("order"))})[0];

    TaskKeys keys = Concurrency("db", 1);
    keys.rates = {{"api", KeyScope::kNamespace, 1, kSlow}};
    keys.ordering = "order";
    keys.fairness = "fair";
    TaskSpec spec = Keyed(std::move(keys), /*priority=*/9);  // Ignored inside the ordering key.
    Placement placement;
    placement.pins.executor = "big";
    spec.placement = std::make_shared<const Placement>(placement);
    spec.not_before = world.now.wall + Milliseconds(100);
    spec.dependencies.push_back({.task = needed_, .on_failure = OnFailure::kRun});
    Pause(true);
    task = world.DoSpawn(spec);
  }

  void Pause(bool paused) {
    REQUIRE(world.engine->SetPause("default", "work", paused, "", world.now, world.effects).ok());
    world.EndGroup();
  }
  void EndNeeded() {
    REQUIRE(world.Cancel(needed_).ok());
    world.EndGroup();
    world.AnswerFence(needed_, 0, TaskState::kCancelled);
    world.EndGroup();
  }
  void Open(uint8_t session, uint32_t credit, const std::string& name) {
    world.Open(session, credit, {}, {"work"}, Named(name));
    world.EndGroup();
  }
  // All the others run.
  void CheckOthersRun() const {
    for (const TaskId& other : {slot_, spends_, ahead_}) {
      CHECK(world.StateOf(other) == TaskState::kLeased);
    }
  }
  void FinishAhead() { Finish(world, ahead_); }
  void FinishSlot() { Finish(world, slot_); }
  void SetCredit(uint32_t credit) {
    world.engine->SetCredit(world.connection, credit);
    world.EndGroup();
  }
  // Lets time pass in which it waits for this and nothing else.
  void Wait(WaitCause cause, int64_t milliseconds) {
    CAPTURE(static_cast<int>(cause));
    CHECK(world.View(task).cause == cause);
    CHECK(world.StateOf(task) != TaskState::kLeased);
    world.Pass(Milliseconds(milliseconds));
    world.EndGroup();
    expected_[static_cast<size_t>(cause)] += milliseconds;
    CHECK(*world.engine->WaitsOf(task, world.now) == expected_);
  }

  EngineWorld world;
  TaskId task;

 private:
  static constexpr Rate kSlow = {.tokens = 1, .period_ms = 1'000, .burst = 1};

  TaskId needed_, slot_, spends_, ahead_;
  CauseTimes expected_ = {};
};

TEST_CASE("All that can hold a task up holds on one task together, gate by gate") {
  Gates gates;
  gates.Wait(WaitCause::kPaused, 10);
  gates.Pause(false);
  gates.Wait(WaitCause::kDependency, 20);
  gates.EndNeeded();
  gates.Wait(WaitCause::kDelay, 70);
  gates.Wait(WaitCause::kNoImplementation, 40);
  gates.Open(1, 0, "small");
  gates.Wait(WaitCause::kPlacementUnmatched, 50);
  gates.Open(2, 10, "big");
  gates.CheckOthersRun();
  gates.Wait(WaitCause::kOrderingKey, 60);
  gates.FinishAhead();
  gates.Wait(WaitCause::kConcurrencyKey, 70);
  gates.FinishSlot();
  gates.SetCredit(0);
  gates.Wait(WaitCause::kRateKey, 870);  // A token comes a second after the last one went.
  gates.Wait(WaitCause::kNoCredit, 90);
  gates.SetCredit(2);  // It holds one still, which has spent the token.
  CHECK(gates.world.StateOf(gates.task) == TaskState::kLeased);
  CHECK(gates.world.View(gates.task).cause == WaitCause::kExecutorQueue);
}

TEST_CASE("A task that passed every gate holds what it took, and leaves all of it behind") {
  Gates gates;
  gates.Pause(false);
  gates.EndNeeded();
  gates.world.Pass(Milliseconds(100));
  gates.Open(2, 10, "big");
  gates.FinishAhead();
  gates.FinishSlot();
  gates.world.Pass(absl::Seconds(1));
  gates.world.EndGroup();
  REQUIRE(gates.world.StateOf(gates.task) == TaskState::kLeased);
  const TaskId next = SpawnAll(gates.world, {Keyed(Ordered("order"))})[0];
  CHECK(gates.world.View(next).cause == WaitCause::kOrderingKey);
  CHECK(LimitOf(gates.world, "db")->running == 1);
  Finish(gates.world, gates.task);
  CHECK(gates.world.StateOf(next) == TaskState::kLeased);
  CHECK(LimitOf(gates.world, "db")->running == 0);
  CHECK(LimitOf(gates.world, "db")->tasks == 0);
}

}  // namespace
}  // namespace kantoku::inputs::testing
