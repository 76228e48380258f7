// `kantoku up` whose records are in somebody's program: the example in Python.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/up.h"
#include "tests/support/python_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 100;

std::vector<std::string> AllIn(const PythonStore& store) {
  std::vector<std::string> settings;
  for (const char* service : {"inputs", "outputs", "events"}) {
    settings.push_back(absl::StrCat(service, ".store.remote.address=", store.address()));
    settings.push_back(absl::StrCat(service, ".store.remote.plaintext=true"));
  }
  return settings;
}

TEST_CASE("Tasks survive the death of the program that keeps them, and of the server") {
  const TempDir directory;
  PythonStore store(directory.path() + "/records.sqlite",
                    "unix:" + directory.path() + "/store.socket");
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
