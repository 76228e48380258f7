// Restarts of a service under executors that come back within the grace run nothing twice.
#include <signal.h>

#include <catch2/catch.hpp>

#include "tests/chaos/suite.h"
#include "tests/chaos/verdict.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 2'000;
constexpr size_t kRestarts = 3;

class UnderLoad {
 public:
  UnderLoad() {
    suite_.StartExecutor(0);
    suite_.StartExecutor(1);
    Spawn(kTasks);
  }

  // While tasks are in flight, three times.
  void RestartThrice(Service service, int signal) {
    for (size_t restart = 0; restart < kRestarts; ++restart) {
      ChildProcess& child = suite_.service(service);
      FreezeAmidWork(child);
      child.Signal(signal);
      child.Thaw();
      const auto exit = child.AwaitExit();
      REQUIRE(exit.ok());
      CHECK((signal == SIGKILL ? exit->signal == SIGKILL : exit->code == 0));
      suite_.Start(service);
    }
    for (size_t client = 0; client < clients_; ++client) {
      const auto exit = suite_.client(client).AwaitExit();
      REQUIRE(exit.ok());
      CHECK(exit->code == 0);
    }
    CheckEachEndedOnce(suite_, spawned_);
    CHECK(CheckOnlyTheKilledRanTwice(suite_.journals(), {}) == 0);
    CHECK((suite_.executor(0).running() && suite_.executor(1).running()));
  }

 private:
  void Spawn(int count) {
    const size_t client = clients_++;
    suite_.StartClient(client, spawned_, count, count);
    spawned_ += count;
    Journals& journals = suite_.journals();
    const auto all = static_cast<size_t>(count);
    REQUIRE(journals.Await([&] { return journals.clients()[client].accepted().size() == all; }));
  }

  // Some more have been finished by then, some run, and some wait: however long this program is
  // kept from looking while others work.
  void FreezeAmidWork(ChildProcess& child) {
    constexpr size_t kMore = kTasks / 20;
    Journals& journals = suite_.journals();
    while (true) {
      journals.Update();
      while (journals.unfinished() <= kMore) Spawn(kTasks / 5);
      const size_t before = journals.finished();
      REQUIRE(journals.Await([&] { return journals.finished() >= before + kMore; }));
      child.Freeze();
      journals.Update();
      const size_t running =
          journals.running(suite_.process(0)).size() + journals.running(suite_.process(1)).size();
      if (journals.unfinished() > 0 && running > 0) return;
      child.Thaw();
    }
  }

  // A longer drain would wait until nothing is in flight.
  Suite suite_{{.drain_timeout = absl::Milliseconds(300), .concurrency = 3, .max_held = 1'000}};
  size_t clients_ = 0;
  int spawned_ = 0;
};

TEST_CASE("Three kills of Inputs run nothing twice") {
  UnderLoad().RestartThrice(Service::kInputs, SIGKILL);
}

TEST_CASE("Three orderly restarts of Inputs run nothing twice") {
  UnderLoad().RestartThrice(Service::kInputs, SIGTERM);
}

TEST_CASE("Three kills of Outputs run nothing twice") {
  UnderLoad().RestartThrice(Service::kOutputs, SIGKILL);
}

TEST_CASE("Three kills of Events run nothing twice") {
  UnderLoad().RestartThrice(Service::kEvents, SIGKILL);
}

}  // namespace
}  // namespace kantoku::test
