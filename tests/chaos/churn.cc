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

void Restart(Suite& suite, Service service, int signal) {
  ChildProcess& child = suite.service(service);
  child.Signal(signal);
  const auto exit = child.AwaitExit();
  REQUIRE(exit.ok());
  CHECK((signal == SIGKILL ? exit->signal == SIGKILL : exit->code == 0));
  suite.Start(service);
}

// Returns when the second is over, or the client has done its part.
void AwaitNextSecond(Suite& suite, Load& load, absl::Duration until) {
  while (Steady() < until) {
    load.Feed();
    (void)suite.journals().Await([&] { return false; },
                                 std::min(absl::Milliseconds(100), until - Steady()));
  }
}

}  // namespace

void RestartEverySecond(absl::Duration length) {
  Suite suite({.drain_timeout = absl::Milliseconds(300), .concurrency = 4, .max_held = 64});
  for (size_t i = 0; i < kExecutors; ++i) suite.StartExecutor(i);
  Load load(suite);
  const absl::Duration begin = Steady();
  size_t rounds = 0;
  for (; Steady() < begin + length; ++rounds) {
    const absl::Duration next = Steady() + absl::Seconds(1);
    for (size_t i = 0; i < kServices.size(); ++i) {
      Restart(suite, kServices[i], (rounds + i) % 2 == 0 ? SIGKILL : SIGTERM);
      load.Feed();
    }
    AwaitNextSecond(suite, load, next);
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
