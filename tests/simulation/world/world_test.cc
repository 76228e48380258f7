#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "services/platform/planted.h"
#include "tests/simulation/world/couriers.h"
#include "tests/simulation/world/gateway.h"
#include "tests/simulation/world/inputs_server.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/runs.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/users.h"
#include "tests/simulation/world/wait_watch.h"
#include "tests/simulation/world/witness.h"

namespace kantoku::simulation {
namespace {

using inputs::TaskState;

TEST_CASE("Simulated installations keep every promise, and nothing is left when all has ended") {
  const Sum sum =
      LiveAll({.seed = 1'000, .steps = 80'000, .steps_per_world = 10'000, .threads = 1});
  if (sum.broken.has_value()) {
    FAIL("broken: " << sum.broken->broken << "; " << sum.broken->detail
                    << "; make sim SEED=" << sum.broken->seed << " STEPS=" << sum.broken->steps);
  }
  INFO(sum.coverage.ToText());
  for (size_t deed = 0; deed < kDeeds; ++deed) {
    CAPTURE(deed);
    CHECK(sum.coverage.count(static_cast<Deed>(deed)) > 0);
  }
  for (const TaskState state : {TaskState::kScheduled, TaskState::kReady, TaskState::kLeased,
                                TaskState::kRunning, TaskState::kSettling}) {
    CAPTURE(static_cast<int>(state));
    CHECK(sum.coverage.count(Command::kCancel, state) > 0);
    CHECK(sum.coverage.count(Command::kAck, state) > 0);
    CHECK(sum.coverage.count(Command::kFalseAck, state) > 0);
    CHECK(sum.coverage.count(Command::kCrash, state) > 0);
  }
  for (const TaskState state : {TaskState::kCancelling, TaskState::kInterrupting,
                                TaskState::kPausing, TaskState::kPaused, TaskState::kResuming}) {
    CAPTURE(static_cast<int>(state));
    CHECK(sum.coverage.count(Command::kCancel, state) > 0);
    CHECK(sum.coverage.count(Command::kCrash, state) > 0);
  }
  for (const Command command :
       {Command::kInterrupt, Command::kPause, Command::kResume, Command::kStep}) {
    CAPTURE(static_cast<int>(command));
    CHECK(sum.coverage.count(command, TaskState::kReady) > 0);
    CHECK(sum.coverage.count(command, TaskState::kRunning) > 0);
  }
  CHECK(sum.coverage.count(Command::kCheckpoint, TaskState::kRunning) > 0);
  CHECK(sum.coverage.count(Command::kSaysPaused, TaskState::kPausing) > 0);
  CHECK(sum.coverage.count(Command::kSaysGoesOn, TaskState::kResuming) > 0);
  CHECK(sum.coverage.count(Command::kCancel, TaskState::kBlocked) > 0);
  CHECK(sum.coverage.count(Command::kCrash, TaskState::kBlocked) > 0);
}

TEST_CASE("Equal seeds live equal lives, different seeds different ones") {
  const Life life = Live(7, 3'000);
  CHECK(life.steps == 3'000);
  CHECK(Live(7, 3'000).fingerprint == life.fingerprint);
  CHECK(Live(8, 3'000).fingerprint != life.fingerprint);
}

TEST_CASE("The time of the whole plan is judged where the program is fast and has two processors") {
  constexpr Power kAble = {.fast = true, .processors = 2};
  CHECK(SecondsAllowed({}, kAble) == Approx(180));
  CHECK(SecondsAllowed({.steps = 20'000'000}, kAble) == Approx(360));
  CHECK(std::isinf(SecondsAllowed({.steps = 1'000'000}, kAble)));
  CHECK(std::isinf(SecondsAllowed({.threads = 1}, kAble)));
  CHECK(std::isinf(SecondsAllowed({}, {.fast = true, .processors = 1})));
  CHECK(std::isinf(SecondsAllowed({}, {.fast = false, .processors = 2})));
}

TEST_CASE("A step is what changes something, once, and nothing that is looked at or made up") {
  Random random(1);
  VirtualClock clock;
  const auto keys = platform::MacKeys::Make({{1, std::string(32, 'k')}});
  Verdict verdict;
  Coverage coverage;
  const Scene scene{random, clock, **keys, verdict, coverage};
  Model model(scene);
  OutputsServer outputs(scene, model);
  Couriers couriers(scene, model, outputs);
  InputsServer server(scene, model, couriers);
  Witness witness(scene, server, model);
  Users users(scene, server, witness, model);
  const auto say = [&](const Said& said, absl::FunctionRef<void()> act) {
    witness.Around({said}, act);
    server.Flush();
    return verdict.steps();
  };

  users.Spawn();
  server.Flush();
  CHECK(verdict.steps() == 1);
  users.Repeat();
  WaitWatch(scene, server, model).Look();
  CHECK(verdict.steps() == 1);

  const TaskId task = model.recent().front();
  const Said lie = {.command = Command::kStarted, .task = task, .dispatch = 7};
  CHECK(say(lie, [] {}) == 1);
  const auto pause = [&] {
    server.partition().Control({.tasks = {task},
                                .what = {.task = {}, .verb = inputs::ControlVerb::kPause},
                                .viewer = EyesOf(model.Find(task)->owner)},
                               [](const auto&) {});
  };
  const Said asked = {.command = Command::kPause, .task = task};
  CHECK(say(asked, pause) == 2);
  CHECK(say(asked, pause) == 2);
  CHECK_FALSE(verdict.broken());
  server.Stop();
}

TEST_CASE("A connection that has ended for the server calls back nothing of it") {
  Random random(1);
  VirtualClock clock;
  const auto keys = platform::MacKeys::Make({{1, std::string(32, 'k')}});
  Verdict verdict;
  Coverage coverage;
  const Scene scene{random, clock, **keys, verdict, coverage};
  Model model(scene);
  Connection connection(model, {"owner", "app"}, NewSession(random));
  inputs::v1::PullResponse frame;
  frame.add_tasks()->set_task_id(std::string(TaskId::Make(clock.Read().wall, 0, 1, 0).bytes()));
  connection.Expect(inputs::WeightOf(frame.tasks(0)));
  connection.Send(frame);
  bool called = false;
  const bool asked_later = GENERATE(false, true);
  if (asked_later) connection.End();
  connection.NotifyDrained(0, [&] { called = true; });
  connection.End();
  (void)connection.Hear();
  CHECK(connection.unsent_bytes() == 0);
  CHECK_FALSE(called);
}

TEST_CASE("Every planted bug is caught") {
  // In worlds that it breaks soon; any seed is for `make sim`.
  for (const PlantedBug& bug : PlantedBugs()) {
    CAPTURE(std::string(bug.name));
    CHECK(Catch(bug.name, bug.seed).has_value());
  }
}

TEST_CASE("A broken life is shortened to fewer steps that break the same promise") {
  constexpr std::string_view kBug = "cancel lost in recovery";
  // Some lives break as soon as they can; among a few there is one that does not.
  bool shortened = false;
  Life shortest;
  for (uint64_t seed = 1; seed <= 5 && !shortened; ++seed) {
    const auto caught = Catch(kBug, seed);
    REQUIRE(caught.has_value());
    shortest = Shorten(*caught, kBug);
    CHECK(shortest.broken == caught->broken);
    platform::Plant(kBug);
    CHECK(Live(shortest.seed, shortest.steps).broken == shortest.broken);
    platform::Plant({});
    shortened = shortest.steps < caught->steps;
  }
  CHECK(shortened);
  CHECK(Live(shortest.seed, shortest.steps).broken.empty());  // Without the bug.
}

}  // namespace
}  // namespace kantoku::simulation
