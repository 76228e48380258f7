// kill -9 of every kind of process, each at a moment when it demonstrably holds unfinished work.
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "tests/chaos/killer.h"
#include "tests/chaos/suite.h"
#include "tests/chaos/verdict.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 10'000;
constexpr int kClients = 2;
constexpr int kOfClient = kTasks / kClients;
constexpr int kWindow = 600;
constexpr int kExecutors = 2;
constexpr int kRounds = 3;

TEST_CASE("Kills of everything lose nothing, and every task ends exactly once") {
  // A killed executor's tasks wait for the end of its grace; the others go on meanwhile.
  Suite suite({.grace = absl::Seconds(10), .concurrency = 16, .max_held = 150});
  Killer killer(suite);
  for (size_t i = 0; i < kExecutors; ++i) suite.StartExecutor(i);
  for (size_t i = 0; i < kClients; ++i) {
    suite.StartClient(i, static_cast<int>(i) * kOfClient, kOfClient, kWindow);
  }

  std::vector<std::function<void()>> kills;
  for (size_t round = 0; round < kRounds; ++round) {
    const size_t one = round % 2;
    const size_t other = 1 - one;
    kills.insert(kills.end(), {[&] { killer.Inputs(); },                     //
                               [&, one] { killer.Executor(one); },           //
                               [&] { killer.Outputs(); },                    //
                               [&, one] { killer.Client(one); },             //
                               [&] { killer.Events(); },                     //
                               [&] { killer.InputsInSpawn(); },              //
                               [&, other] { killer.ExecutorInPut(other); },  //
                               [&] { killer.ClientInSpawn(); }});
  }
  // The last one early enough that each client still has tasks to spawn.
  const size_t step = kTasks * 7 / 10 / kills.size();
  for (size_t i = 0; i < kills.size(); ++i) {
    INFO("kill " << i);
    REQUIRE(suite.journals().Await([&] { return suite.journals().finished() >= (i + 1) * step; }));
    kills[i]();
  }
  CHECK(killer.kills() >= 20);

  for (size_t i = 0; i < kClients; ++i) {
    const auto exit = suite.client(i).AwaitExit();
    INFO(exit.status().ToString());
    REQUIRE(exit.ok());
    CHECK(exit->code == 0);
  }
  CheckEachEndedOnce(suite, kTasks);
  const size_t twice = CheckOnlyTheKilledRanTwice(suite.journals(), killer.executors());
  WARN(kTasks << " tasks, " << killer.kills() << " processes killed, " << twice
              << " tasks run again, 0 lost");
}

}  // namespace
}  // namespace kantoku::test
