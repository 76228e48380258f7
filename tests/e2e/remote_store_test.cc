// `kantoku up` whose records are in somebody's program: the example in Python.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/chaos/work.h"
#include "tests/e2e/up.h"
#include "tests/support/health_check.h"
#include "tests/support/python_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 100;

std::vector<std::string> AllIn(const PythonStore& store) {
  std::vector<std::string> settings = {"server.metrics_listen=none"};
  for (const char* service : {"inputs", "outputs", "events"}) {
    settings.push_back(absl::StrCat(service, ".store.remote.address=", store.address()));
    settings.push_back(absl::StrCat(service, ".store.remote.plaintext=true"));
    // Short, so that calls of a program that hangs are repeated while it does.
    settings.push_back(absl::StrCat(service, ".store.remote.timeout=1s"));
  }
  return settings;
}

// Spawns of one task each that may have their answers yet to come; payloads as those of Up::Spawn.
class Spawns {
 public:
  explicit Spawns(const Up& up) : client_(up.Connect()) {}

  void Begin(int count) {
    for (int i = 0; i < count; ++i) {
      const int index = static_cast<int>(answers_.size());
      answers_.push_back(
          client_.SpawnAsync(Task(kWorkType, PayloadOf(index)), {.timeout = kPatience}).share());
    }
  }
  size_t begun() const { return answers_.size(); }
  // How many of those that were begun after the first `from` have their answers.
  int Answered(size_t from) const {
    return static_cast<int>(
        std::count_if(answers_.begin() + static_cast<ptrdiff_t>(from), answers_.end(), IsThere));
  }

  // All of them, once they have been accepted.
  std::vector<TaskId> Accepted() const {
    std::vector<TaskId> tasks;
    for (const auto& answer : answers_) {
      const auto& spawned = answer.get();
      INFO(spawned.status().ToString());
      REQUIRE(spawned.ok());
      tasks.push_back(spawned->id);
    }
    return tasks;
  }

 private:
  using Answer = std::shared_future<absl::StatusOr<SpawnedTask>>;
  static bool IsThere(const Answer& answer) {
    return answer.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  Client client_;
  std::vector<Answer> answers_;
};

size_t CountListed(const Up& up, std::vector<TaskState> states) {
  size_t count = 0;
  TaskQuery query = {.states = std::move(states), .page_size = 1'000};
  do {
    const auto page = up.Connect().List(query, {.timeout = kPatience});
    REQUIRE(page.ok());
    count += page->tasks.size();
    query.page_token = page->next_page_token;
  } while (!query.page_token.empty());
  return count;
}

// Checks that these are all the tasks that there are, each with its result.
void CheckAll(const Up& up, const std::vector<TaskId>& tasks) {
  up.CheckHonestResults(tasks);
  // Inputs hears of the last ends after whoever awaits them.
  REQUIRE(Becomes([&] { return CountListed(up, {TaskState::kSucceeded}) >= tasks.size(); }));
  CHECK(CountListed(up, {}) == tasks.size());
}

TEST_CASE("Tasks under way wait for a program that hangs and go on with it") {
  const TempDir directory;
  PythonStore store(directory.File("records.sqlite"));
  const Up up({.settings = AllIn(store)});
  Spawns spawns(up);
  spawns.Begin(kTasks);
  REQUIRE(Becomes([&] { return spawns.Answered(0) == kTasks; }));
  const auto executor = up.StartHonestExecutor();
  REQUIRE(Becomes([&] { return CountListed(up, {TaskState::kLeased, TaskState::kRunning}) > 0; }));
  store.Freeze();
  spawns.Begin(kTasks);
  // It has said so once a commit was repeated in vain.
  REQUIRE(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "NOT_SERVING"; }));
  CHECK(spawns.Answered(kTasks) == 0);
  store.Thaw();
  CheckAll(up, spawns.Accepted());
  CHECK(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "SERVING"; }));
}

// Freezes the program when it has answered for some of further spawns, and not for all.
void FreezeAmid(Spawns& spawns, PythonStore& store) {
  constexpr int kAttempts = 50;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const size_t before = spawns.begun();
    spawns.Begin(kTasks);
    REQUIRE(Becomes([&] { return spawns.Answered(before) > 0; }));
    store.Freeze();
    if (spawns.Answered(before) < kTasks) return;
    store.Thaw();
  }
  FAIL("all spawns were answered at once " << kAttempts << " times");
}

TEST_CASE("Spawns under way when the program that keeps them is killed lose and double nothing") {
  const TempDir directory;
  PythonStore store(directory.File("records.sqlite"), "unix:" + directory.File("store.socket"));
  const Up up({.settings = AllIn(store)});
  const auto executor = up.StartHonestExecutor();
  Spawns spawns(up);
  for (int round = 0; round < 3; ++round) {
    FreezeAmid(spawns, store);
    store.Kill();
    store.Restart();
  }
  CheckAll(up, spawns.Accepted());
}

TEST_CASE("Tasks survive the death of the program that keeps them, and of the server") {
  const TempDir directory;
  PythonStore store(directory.File("records.sqlite"), "unix:" + directory.File("store.socket"));
  Up up({.settings = AllIn(store)});
  const auto executor = up.StartHonestExecutor();
  const std::vector<TaskId> tasks = up.Spawn(kTasks);
  store.Kill();
  store.Restart();
  up.CheckHonestResults(tasks);

  const std::vector<TaskId> more = up.Spawn(kTasks);
  up.process().Kill();
  up.Restart();
  up.CheckHonestResults(tasks);  // Whose receipts were there before the server died.
  up.CheckHonestResults(more);

  store.Kill();
  store.Restart();
  up.CheckHonestResults(tasks);
  up.CheckHonestResults(more);
}

}  // namespace
}  // namespace kantoku::test
