// Restarts of a service under executors that come back within the grace run nothing twice.
#include <signal.h>

#include <catch2/catch.hpp>

#include "tests/chaos/suite.h"
#include "tests/chaos/verdict.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 2'000;
constexpr size_t kRestarts = 3;

// Restarts a service three times while thousands of tasks are in flight.
void RestartThrice(Service service, int signal) {
  // A longer drain would wait until nothing is in flight.
  Suite suite({.drain_timeout = absl::Milliseconds(300), .concurrency = 3, .max_held = 1'000});
  Journals& journals = suite.journals();
  suite.StartExecutor(0);
  suite.StartExecutor(1);
  suite.StartClient(0, 0, kTasks, kTasks);
  REQUIRE(journals.Await([&] { return journals.clients()[0].accepted().size() == kTasks; }));

  for (size_t restart = 0; restart < kRestarts; ++restart) {
    const size_t before = journals.finished();
    REQUIRE(journals.Await([&] { return journals.finished() >= before + kTasks / 20; }));
    ChildProcess& child = suite.service(service);
    child.Freeze();
    journals.Update();
    const size_t running =
        journals.running(suite.process(0)).size() + journals.running(suite.process(1)).size();
    REQUIRE(journals.unfinished() > 0);
    REQUIRE(running > 0);
    child.Signal(signal);
    child.Thaw();
    const auto exit = child.AwaitExit();
    REQUIRE(exit.ok());
    CHECK((signal == SIGKILL ? exit->signal == SIGKILL : exit->code == 0));
    suite.Start(service);
  }

  const auto exit = suite.client(0).AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 0);
  CheckEachEndedOnce(suite, kTasks);
  CHECK(CheckOnlyTheKilledRanTwice(journals, {}) == 0);
  CHECK((suite.executor(0).running() && suite.executor(1).running()));
}

TEST_CASE("Three kills of Inputs run nothing twice") { RestartThrice(Service::kInputs, SIGKILL); }

TEST_CASE("Three orderly restarts of Inputs run nothing twice") {
  RestartThrice(Service::kInputs, SIGTERM);
}

TEST_CASE("Three kills of Outputs run nothing twice") { RestartThrice(Service::kOutputs, SIGKILL); }

TEST_CASE("Three kills of Events run nothing twice") { RestartThrice(Service::kEvents, SIGKILL); }

}  // namespace
}  // namespace kantoku::test
