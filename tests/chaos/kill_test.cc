// kill -9 of every kind of process, each at a moment when it demonstrably holds unfinished work.
#include <signal.h>

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

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

// Kills processes. A frozen one finishes nothing, so what it has not done when the journals are
// read afterwards, it has not done when it is killed.
class Killer {
 public:
  explicit Killer(Suite& suite) : suite_(suite), journals_(suite.journals()) {}

  // Tasks were accepted of which no handler has returned: Inputs has them all to do.
  void Inputs() {
    suite_.FreezeWhile(suite_.service(Service::kInputs),
                       [&] { return journals_.unfinished() > 0; });
    KillService(Service::kInputs);
  }

  // And a client has asked for more and has not heard the answer.
  void InputsInSpawn() {
    (void)FreezeInputsInSpawn();
    KillService(Service::kInputs);
  }

  // Handlers return while Outputs stands still, so their results are on the way to it; and clients
  // wait for theirs.
  void Outputs() {
    FreezeOutputsInWork({suite_.process(0), suite_.process(1)});
    REQUIRE(journals_.awaited(0) + journals_.awaited(1) > 0);
    KillService(Service::kOutputs);
  }

  // Handlers return while Events stands still, so what it is to hear of that is on the way.
  void Events() {
    suite_.service(Service::kEvents).Freeze();
    journals_.Update();
    const size_t before = journals_.ends();
    REQUIRE(journals_.Await([&] { return journals_.ends() > before; }));
    KillService(Service::kEvents);
  }

  // Its handlers have begun and not returned.
  void Executor(size_t executor) {
    suite_.FreezeWhile(suite_.executor(executor),
                       [&] { return !journals_.running(suite_.process(executor)).empty(); });
    KillExecutor(executor);
  }

  // Its handlers have returned, and it has no receipt: Outputs stands still.
  void ExecutorInPut(size_t executor) {
    FreezeOutputsInWork({suite_.process(executor)});
    KillExecutor(executor);
    suite_.service(Service::kOutputs).Thaw();
  }

  // It waits for ends.
  void Client(size_t client) {
    suite_.FreezeWhile(suite_.client(client), [&] { return journals_.awaited(client) > 0; });
    KillClient(client);
  }

  // It has asked for tasks and has no answer: Inputs stands still.
  void ClientInSpawn() {
    KillClient(FreezeInputsInSpawn());
    suite_.service(Service::kInputs).Thaw();
  }

  size_t kills() const { return kills_; }
  // Numbers of the journals of executors that were killed.
  const std::set<int>& executors() const { return executors_; }

 private:
  // While a client asks for tasks: the one that has more left to ask for, which is returned. It
  // goes on asking while tasks end that executors hold, as it is told without Inputs; if those are
  // too few for that, they are more another time.
  size_t FreezeInputsInSpawn() {
    ChildProcess& inputs = suite_.service(Service::kInputs);
    const auto& clients = journals_.clients();
    const size_t client = clients[0].accepted().size() <= clients[1].accepted().size() ? 0 : 1;
    const auto spawns = [&] {
      return !clients[client].spawning().empty() && journals_.unfinished() > 0;
    };
    for (int attempt = 0; attempt < 10; ++attempt) {
      inputs.Freeze();
      if (journals_.Await(spawns, absl::Seconds(5))) return client;
      inputs.Thaw();
      const size_t before = journals_.finished();
      REQUIRE(journals_.Await([&] { return journals_.finished() > before; }));
    }
    FAIL("client " << client << " spawns nothing");
    return client;
  }

  // While a handler of `processes` runs, which returns all the same; waits for that. An executor
  // that has no receipt for anything it holds begins nothing before Outputs goes on.
  void FreezeOutputsInWork(const std::vector<int>& processes) {
    int working = 0;
    suite_.FreezeWhile(suite_.service(Service::kOutputs), [&] {
      for (const int process : processes) {
        working = process;
        if (!journals_.running(process).empty()) return true;
      }
      return false;
    });
    const size_t before = journals_.ends(working);
    REQUIRE(journals_.Await([&] { return journals_.ends(working) > before; }));
  }

  void Kill(ChildProcess& child) {
    REQUIRE(child.running());
    CHECK(child.Kill().signal == SIGKILL);
    ++kills_;
  }
  void KillService(Service service) {
    Kill(suite_.service(service));
    suite_.Start(service);
  }
  void KillExecutor(size_t executor) {
    Kill(suite_.executor(executor));
    executors_.insert(suite_.process(executor));
    suite_.StartExecutor(executor);
  }
  void KillClient(size_t client) {
    Kill(suite_.client(client));
    suite_.StartClient(client, static_cast<int>(client) * kOfClient, kOfClient, kWindow);
  }

  Suite& suite_;
  Journals& journals_;
  size_t kills_ = 0;
  std::set<int> executors_;
};

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
