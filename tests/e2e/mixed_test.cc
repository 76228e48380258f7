// Deployments in which not everything is ours, or not on the same backend: what users are promised
// holds all the same.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "tests/chaos/killer.h"
#include "tests/chaos/suite.h"
#include "tests/chaos/verdict.h"
#include "tests/chaos/work.h"
#include "tests/support/private_postgres.h"
#include "tests/support/python_outputs.h"
#include "tests/support/python_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

// More than are done in the time in which what does not stop the work starts again.
constexpr int kTasks = 3'000;
constexpr int kWindow = 150;

// Work that goes on while programs are killed.
class Work {
 public:
  explicit Work(Suite& suite) : suite_(suite), killer_(suite) {
    suite_.StartExecutor(0);
    suite_.StartClient(0, 0, kTasks, kWindow);
  }

  // Does each of these after a further part of the work, while there is more to do. Those that do
  // not stop the work come first: it goes on beside them, and none may be left for the last.
  void Amid(const std::vector<std::function<void()>>& deeds) {
    Journals& journals = suite_.journals();
    const size_t step = kTasks * 7 / 10 / deeds.size();
    for (size_t i = 0; i < deeds.size(); ++i) {
      INFO("deed " << i);
      REQUIRE(journals.Await([&] { return journals.finished() >= (i + 1) * step; }));
      REQUIRE(journals.finished() < kTasks);
      deeds[i]();
    }
  }

  Killer& killer() { return killer_; }

  // Every task has ended once, the same wherever one asks, and nothing ran twice.
  void CheckDone() {
    const auto exit = suite_.client(0).AwaitExit();
    INFO(exit.status().ToString());
    REQUIRE(exit.ok());
    CHECK(exit->code == 0);
    CheckEachEndedOnce(suite_, kTasks);
    CHECK(CheckOnlyTheKilledRanTwice(suite_.journals(), {}) == 0);
  }

 private:
  Suite& suite_;
  Killer killer_;
};

// A task that waits ends by a cancellation, which nobody forgets.
void CheckCancel(Suite& suite, const std::function<void()>& kill) {
  Client client = suite.Connect();
  const auto spawned = client.Spawn(Task("nobody.runs.this", ""), {.timeout = kPatience});
  REQUIRE(spawned.ok());
  REQUIRE(client.Cancel(spawned->id, {.timeout = kPatience}).ok());
  for (int time = 0; time < 2; ++time) {
    const auto output = suite.Connect().Await(spawned->id, {.timeout = kPatience});
    INFO(output.status().ToString());
    REQUIRE(output.ok());
    CHECK(output->status == OutputStatus::kCancelled);
    if (time == 0) kill();
  }
}

TEST_CASE(
    "Services on three backends lose nothing to kill -9 of any or to crashes of their stores") {
  PrivatePostgres postgres({"fsync=on"});
  const TempDir directory;
  PythonStore program(directory.File("records.sqlite"), "unix:" + directory.File("socket"));
  Suite suite(
      {.settings = {{Service::kInputs, {"inputs.store.sqlite.directory=" + directory.path()}},
                    {Service::kOutputs,
                     {"outputs.store.postgres.connection=" + postgres.connection(),
                      "outputs.store.postgres.migrate_on_start=true"}},
                    {Service::kEvents,
                     {"events.store.remote.address=" + program.address(),
                      "events.store.remote.plaintext=true", "events.store.remote.timeout=1s"}}}});
  Work work(suite);
  work.Amid({[&] { work.killer().Events(); },
             [&] {
               program.Kill();
               program.Restart();
             },
             [&] { work.killer().Inputs(); }, [&] { work.killer().Outputs(); },
             [&] {
               postgres.Crash();
               postgres.Start();
             }});
  work.CheckDone();
  CheckCancel(suite, [&] {
    for (const Service service : {Service::kInputs, Service::kOutputs, Service::kEvents}) {
      suite.service(service).Kill();
      suite.Start(service);
    }
  });
}

TEST_CASE("Somebody's own Outputs stands in for ours and nothing is lost to kill -9 of it") {
  const TempDir directory;
  const auto outputs = [&](const std::string& address, const std::string& keys) {
    return PythonOutputsAt(address, directory.File("results.sqlite"), keys);
  };
  Suite suite({.stand_ins = {{Service::kOutputs, outputs}}});
  Work work(suite);
  const auto kill_all = [&] {
    work.killer().Outputs();
    work.killer().Inputs();
  };
  work.Amid({[&] { work.killer().Events(); }, kill_all, kill_all});
  work.CheckDone();
  CheckCancel(suite, [&] {
    suite.service(Service::kOutputs).Kill();
    suite.Start(Service::kOutputs);
  });
}

}  // namespace
}  // namespace kantoku::test
