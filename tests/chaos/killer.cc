#include "tests/chaos/killer.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>

namespace kantoku::test {

void Killer::Inputs() {
  suite_.FreezeWhile(suite_.service(Service::kInputs), [&] { return journals_.unfinished() > 0; });
  KillService(Service::kInputs);
}

void Killer::InputsInSpawn() {
  (void)FreezeInputsInSpawn();
  KillService(Service::kInputs);
}

void Killer::Outputs() {
  FreezeOutputsInWork(suite_.processes());
  size_t awaited = 0;
  for (size_t client = 0; client < journals_.clients().size(); ++client) {
    awaited += journals_.awaited(client);
  }
  REQUIRE(awaited > 0);
  KillService(Service::kOutputs);
}

void Killer::Events() {
  suite_.service(Service::kEvents).Freeze();
  journals_.Update();
  const size_t before = journals_.ends();
  REQUIRE(journals_.Await([&] { return journals_.ends() > before; }));
  KillService(Service::kEvents);
}

void Killer::Executor(size_t executor) {
  suite_.FreezeWhile(suite_.executor(executor),
                     [&] { return !journals_.running(suite_.process(executor)).empty(); });
  KillExecutor(executor);
}

void Killer::ExecutorInPut(size_t executor) {
  FreezeOutputsInWork({suite_.process(executor)});
  KillExecutor(executor);
  suite_.service(Service::kOutputs).Thaw();
}

void Killer::Client(size_t client) {
  suite_.FreezeWhile(suite_.client(client), [&] { return journals_.awaited(client) > 0; });
  KillClient(client);
}

void Killer::ClientInSpawn() {
  KillClient(FreezeInputsInSpawn());
  suite_.service(Service::kInputs).Thaw();
}

// While a client asks for tasks: the one that has more left to ask for, which is returned. It goes
// on asking while tasks end that executors hold, as it is told without Inputs; if those are too few
// for that, they are more another time.
size_t Killer::FreezeInputsInSpawn() {
  ChildProcess& inputs = suite_.service(Service::kInputs);
  const auto& clients = journals_.clients();
  const auto fewest = std::min_element(clients.begin(), clients.end(),
                                       [](const ClientJournal& one, const ClientJournal& other) {
                                         return one.accepted().size() < other.accepted().size();
                                       });
  const auto client = static_cast<size_t>(fewest - clients.begin());
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

// While a handler of `processes` runs, which returns all the same; waits for that. An executor that
// has no receipt for anything it holds begins nothing before Outputs goes on.
void Killer::FreezeOutputsInWork(const std::vector<int>& processes) {
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

void Killer::Kill(ChildProcess& child) {
  REQUIRE(child.running());
  CHECK(child.Kill().signal == SIGKILL);
  ++kills_;
}

void Killer::KillService(Service service) {
  Kill(suite_.service(service));
  suite_.Start(service);
}

void Killer::KillExecutor(size_t executor) {
  Kill(suite_.executor(executor));
  executors_.insert(suite_.process(executor));
  suite_.StartExecutor(executor);
}

void Killer::KillClient(size_t client) {
  Kill(suite_.client(client));
  suite_.RestartClient(client);
}

}  // namespace kantoku::test
