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
  bool AnyAnswered() const { return std::any_of(answers_.begin(), answers_.end(), IsThere); }
  bool AllAnswered() const { return std::all_of(answers_.begin(), answers_.end(), IsThere); }

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
  const auto executor = up.StartHonestExecutor();
  Spawns spawns(up);
  spawns.Begin(kTasks);
  REQUIRE(Becomes([&] { return spawns.AnyAnswered(); }));
  store.Freeze();
  spawns.Begin(kTasks);
  // It has said so once a commit was repeated in vain.
  REQUIRE(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "NOT_SERVING"; }));
  CHECK_FALSE(spawns.AllAnswered());
  store.Thaw();
  CheckAll(up, spawns.Accepted());
  CHECK(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "SERVING"; }));
}

TEST_CASE("Spawns under way when the program that keeps them is killed lose and double nothing") {
  const TempDir directory;
  PythonStore store(directory.File("records.sqlite"), "unix:" + directory.File("store.socket"));
  const Up up({.settings = AllIn(store)});
  const auto executor = up.StartHonestExecutor();
  Spawns spawns(up);
  for (int round = 0; round < 3; ++round) {
    spawns.Begin(kTasks);
    REQUIRE(Becomes([&] { return spawns.AnyAnswered(); }));
    // Frozen first: whatever has no answer by then gets none before it is dead.
    store.Freeze();
    spawns.Begin(1);
    REQUIRE_FALSE(spawns.AllAnswered());
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
  std::vector<TaskId> tasks = up.Spawn(kTasks);
  store.Kill();
  store.Restart();
  up.CheckHonestResults(tasks);

  tasks = up.Spawn(kTasks);
  up.process().Kill();
  up.Restart();
  up.CheckHonestResults(tasks);
}

}  // namespace
}  // namespace kantoku::test
