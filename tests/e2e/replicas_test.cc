// Several `kantoku up` that share the partitions of one PostgreSQL database.
#include "tests/e2e/replicas.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "tests/chaos/work.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

TEST_CASE("Any replica answers any call, whoever has the partition") {
  Replicas suite(3);
  suite.StartExecutors({1});
  const auto batches = suite.Spawn({0}, 20);
  suite.CheckResults({2}, batches);
  for (size_t replica = 0; replica < 3; ++replica) {
    for (const Batch& batch : batches) {
      Client client = suite.ClientOf(replica, batch.name_space);
      // A result can be had a moment before Inputs has heard of it.
      CHECK(Becomes([&] {
        const auto page = client.List({.states = {TaskState::kSucceeded}, .page_size = 100});
        return page.ok() && page->tasks.size() == 20;
      }));
      // One that holds nothing is not there while its partition moves.
      CHECK(Becomes([&] {
        const auto executors = client.ListExecutors({.timeout = kPatience});
        return executors.ok() && executors->size() == 1;
      }));
    }
  }
}

TEST_CASE("Tasks of several partitions are awaited and cancelled together") {
  Replicas suite(2);
  suite.StartExecutors({0});
  const auto batches = suite.Spawn({0, 1}, 5);
  std::vector<TaskId> all;
  for (int i = 0; i < 5; ++i) {
    for (const Batch& batch : batches) all.push_back(batch.tasks[i]);
  }
  for (size_t replica = 0; replica < 2; ++replica) {
    const auto outputs = suite.ClientOf(replica, "a").AwaitAll(all, {.timeout = kPatience});
    REQUIRE(outputs.size() == all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      INFO(outputs[i].status().ToString());
      REQUIRE(outputs[i].ok());
      CHECK(outputs[i]->data == ResultOf(PayloadOf(static_cast<int>(i / batches.size()))));
    }
    const auto states = suite.ClientOf(replica, "a").CancelAll(all, {.timeout = kPatience});
    REQUIRE(states.size() == all.size());
    for (const auto& state : states) {
      CHECK(state.status().code() == absl::StatusCode::kFailedPrecondition);  // They have ended.
    }
  }
}

TEST_CASE("Replicas that are killed and stopped are replaced and nothing is lost") {
  Replicas suite(3);
  suite.StartExecutors({0});
  const auto first = suite.Spawn({0, 1, 2}, 100);
  suite.Kill(2);
  const auto second = suite.Spawn({0, 1}, 50);
  suite.CheckResults({1, 0}, first);
  suite.CheckResults({0, 1}, second);

  // It holds on to what it believes to have, and is contradicted.
  suite.replica(1).process().Signal(SIGSTOP);
  const auto third = suite.Spawn({0}, 20);
  suite.CheckResults({0}, third);
  suite.replica(1).process().Signal(SIGCONT);
  const auto fourth = suite.Spawn({1, 0}, 20);
  suite.CheckResults({1}, fourth);
  suite.CheckResults({1}, third);
}

TEST_CASE("What is spawned by SQL is taken once by whichever replica has its partition") {
  Replicas suite(3);
  const auto first = suite.SpawnBySql(20);
  suite.Kill(2);
  const auto second = suite.SpawnBySql(20);
  suite.Kill(0);
  const auto third = suite.SpawnBySql(20);
  suite.StartExecutors({1});
  for (const auto& batches : {first, second, third}) suite.CheckResults({1}, batches);
  for (const std::string& name : kNamespaces) {
    INFO(name);
    Client client = suite.ClientOf(1, name);
    CHECK(Becomes([&] {
      const auto page = client.List({.page_size = 100});
      return page.ok() && page->tasks.size() == 60 &&
             std::ranges::all_of(page->tasks, [&](const TaskInfo& task) {
               return task.state == TaskState::kSucceeded && task.owner == "sql_" + name;
             });
    }));
  }
}

TEST_CASE("A replica that joins gets its share and one that stops gives it back") {
  Replicas suite(1);
  suite.StartExecutors({0});
  const auto before = suite.Spawn({0}, 50);
  suite.Join();
  const auto during = suite.Spawn({1}, 50);
  suite.CheckResults({1, 0}, before);
  suite.CheckResults({0, 1}, during);
  suite.replica(0).process().Signal(SIGTERM);
  const auto exit = suite.replica(0).process().AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 0);
  const auto after = suite.Spawn({1}, 5);
  suite.CheckResults({1}, before);
  Client client = suite.ClientOf(1, "a");
  CHECK(client.Get(after[4].tasks[0], {.timeout = kPatience}).ok());
}

TEST_CASE("Replicas without a shared database are refused in one line") {
  const TempDir directory;
  const auto child = ChildProcess::Start(
      {.argv = {Binary("kantoku"), "up", "--data", directory.File("data"), "--listen",
                "127.0.0.1:0", "--set", "server.advertise=127.0.0.1:0", "--set",
                "server.metrics_listen=none"}});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 2);
  CHECK_THAT((*child)->output(), Catch::Contains("server.advertise: replicas share a PostgreSQL"));
}

}  // namespace
}  // namespace kantoku::test
