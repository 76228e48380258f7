// Tasks that begin at most once, while what runs them and what remembers them is killed.
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/chaos/suite.h"
#include "tests/chaos/work.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 2'000;
constexpr int kWindow = 400;

// With handlers that have begun and not returned.
void KillExecutor(Suite& suite, size_t executor, std::set<int>& killed) {
  suite.FreezeWhile(suite.executor(executor),
                    [&] { return !suite.journals().running(suite.process(executor)).empty(); });
  CHECK(suite.executor(executor).Kill().signal == SIGKILL);
  killed.insert(suite.process(executor));
  suite.StartExecutor(executor);
}

// With tasks that are to be done.
void KillService(Suite& suite, Service service) {
  suite.FreezeWhile(suite.service(service), [&] { return suite.journals().unfinished() > 0; });
  CHECK(suite.service(service).Kill().signal == SIGKILL);
  suite.Start(service);
}

struct Verdict {
  int elsewhere = 0;  // Succeeded, though an executor was lost that held them.
  int unknown = 0;    // Failed, because nobody knows how far they came.
};

Verdict CheckEachBeganAtMostOnce(const Journals& journals, const std::set<int>& killed) {
  Verdict verdict;
  const ClientJournal& client = journals.clients().front();
  CHECK(client.trouble().empty());
  CHECK(client.ends().size() == kTasks);
  for (const auto& [index, end] : client.ends()) {
    INFO("task " << index << " is " << end.task << ", " << end.status << ": " << end.data);
    const auto found = journals.runs().find(end.task);
    const std::vector<Run> runs =
        found == journals.runs().end() ? std::vector<Run>() : found->second;
    REQUIRE(runs.size() <= 1);
    if (end.status == "succeeded") {
      REQUIRE(runs.size() == 1);
      REQUIRE(runs[0].ended);
      REQUIRE(runs[0].dispatch == end.dispatch);
      REQUIRE(end.data == ResultOf(PayloadOf(index)));
      if (end.dispatch > 1) ++verdict.elsewhere;
    } else {
      REQUIRE(end.status == "failed");
      REQUIRE(end.data == "the handler had begun and did not end: EXECUTOR_LOST");
      // Recorded as begun, and killed before or after it really did.
      if (!runs.empty()) REQUIRE(killed.contains(runs[0].process));
      ++verdict.unknown;
    }
  }
  return verdict;
}

TEST_CASE("A task of effect ONCE begins at most once, whatever is killed") {
  Suite suite({.grace = absl::Seconds(5), .concurrency = 8, .max_held = 100, .once = true});
  std::set<int> killed;
  suite.StartExecutor(0);
  suite.StartExecutor(1);
  suite.StartClient(0, 0, kTasks, kWindow);
  const std::vector<std::function<void()>> kills = {
      [&] { KillExecutor(suite, 0, killed); },  //
      [&] { KillService(suite, Service::kInputs); },  [&] { KillExecutor(suite, 1, killed); },
      [&] { KillService(suite, Service::kOutputs); }, [&] { KillService(suite, Service::kInputs); },
      [&] { KillExecutor(suite, 0, killed); }};
  for (size_t i = 0; i < kills.size(); ++i) {
    INFO("kill " << i);
    REQUIRE(suite.journals().Await(
        [&] { return suite.journals().finished() >= (i + 1) * kTasks / 10; }));
    kills[i]();
  }
  const auto exit = suite.client(0).AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 0);

  suite.journals().Update();
  const Verdict verdict = CheckEachBeganAtMostOnce(suite.journals(), killed);
  CHECK(verdict.unknown > 0);
  CHECK(verdict.elsewhere > 0);
  WARN(kTasks << " tasks, " << kills.size() << " processes killed, " << verdict.elsewhere
              << " ran elsewhere, " << verdict.unknown << " of unknown outcome, 0 began twice");
}

}  // namespace
}  // namespace kantoku::test
