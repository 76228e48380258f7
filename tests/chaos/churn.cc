#include "tests/chaos/churn.h"

#include <signal.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>

#include "services/platform/clock.h"
#include "tests/chaos/suite.h"
#include "tests/chaos/verdict.h"

namespace kantoku::test {
namespace {

constexpr int kTasksOfClient = 500;
constexpr int kWindow = 200;
constexpr size_t kExecutors = 2;
constexpr std::array<Service, 3> kServices = {Service::kInputs, Service::kOutputs,
                                              Service::kEvents};

constexpr absl::Duration kBeat = absl::Milliseconds(100);

absl::Duration Steady() { return platform::Clock::Real().Read().steady; }

// Clients one after the other, so that there is always one that spawns and awaits.
class Load {
 public:
  explicit Load(Suite& suite) : suite_(suite) { StartNext(); }

  // Starts another client if the last one has done its part.
  void Feed() {
    if (suite_.client(clients_ - 1).running()) return;
    CheckLastExit();
    StartNext();
  }
  int Finish() {
    CheckLastExit();
    return tasks_;
  }

 private:
  void StartNext() {
    suite_.StartClient(clients_++, tasks_, kTasksOfClient, kWindow);
    tasks_ += kTasksOfClient;
  }
  void CheckLastExit() {
    const auto exit = suite_.client(clients_ - 1).AwaitExit();
    INFO(exit.status().ToString());
    REQUIRE(exit.ok());
    CHECK(exit->code == 0);
  }

  Suite& suite_;
  size_t clients_ = 0;
  int tasks_ = 0;
};

// Returns when tasks were accepted that have no result, so that what follows can lose or repeat
// some.
void AwaitWork(Suite& suite, Load& load) {
  const absl::Duration until = Steady() + kPatience;
  const auto at_work = [&] { return suite.journals().unfinished() > 0; };
  while (!suite.journals().Await(at_work, kBeat) && Steady() < until) load.Feed();
  REQUIRE(at_work());
}

// How often processes of a service have ended as they were told to, and are back.
struct Restarts {
  size_t killed = 0;
  size_t stopped = 0;
};

void Restart(Suite& suite, Service service, int signal, Restarts& restarts) {
  ChildProcess& child = suite.service(service);
  child.Signal(signal);
  const auto exit = child.AwaitExit();
  REQUIRE(exit.ok());
  CHECK((signal == SIGKILL ? exit->signal == SIGKILL : exit->code == 0));
  suite.Start(service);
  ++(exit->signal == SIGKILL ? restarts.killed : restarts.stopped);
}

// Returns when the second is over, or the client has done its part.
void AwaitNextSecond(Suite& suite, Load& load, absl::Duration until) {
  while (Steady() < until) {
    load.Feed();
    (void)suite.journals().Await([&] { return false; }, std::min(kBeat, until - Steady()));
  }
}

}  // namespace

void RestartEverySecond(absl::Duration length, size_t least) {
  Suite suite({.drain_timeout = absl::Milliseconds(300), .concurrency = 4, .max_held = 64});
  for (size_t i = 0; i < kExecutors; ++i) suite.StartExecutor(i);
  Load load(suite);
  const absl::Duration begin = Steady();
  std::array<Restarts, kServices.size()> restarts{};
  size_t rounds = 0;
  for (; Steady() < begin + length || rounds < least; ++rounds) {
    const absl::Duration next = Steady() + absl::Seconds(1);
    for (size_t i = 0; i < kServices.size(); ++i) {
      AwaitWork(suite, load);
      Restart(suite, kServices[i], (rounds + i) % 2 == 0 ? SIGKILL : SIGTERM, restarts[i]);
      load.Feed();
    }
    AwaitNextSecond(suite, load, next);
  }

  CHECK(rounds >= least);
  for (const Restarts& of_service : restarts) {
    CHECK(of_service.killed + of_service.stopped == rounds);
    CHECK(of_service.killed >= rounds / 2);
    CHECK(of_service.stopped >= rounds / 2);
  }
  const int tasks = load.Finish();
  CheckEachEndedOnce(suite, tasks);
  size_t runs = 0;
  for (const auto& [task, of_task] : suite.journals().runs()) runs += of_task.size();
  CHECK(runs == static_cast<size_t>(tasks));
  CHECK(CheckOnlyTheKilledRanTwice(suite.journals(), {}) == 0);
  for (size_t i = 0; i < kExecutors; ++i) CHECK(suite.executor(i).running());
  WARN(tasks << " tasks, " << runs << " handler runs, " << rounds << " restarts of each service in "
             << absl::FormatDuration(length));
}

}  // namespace kantoku::test
