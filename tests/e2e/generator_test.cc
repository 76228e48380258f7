// Items on their way through the real program, while it is killed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/executor.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

// Reads a stream to its end, item by item as "dispatch:sequence:data"; calls `after` with how many
// there were after each.
template <typename After>
std::vector<std::string> ReadToEnd(ItemStream& stream, Output& output, After after) {
  std::vector<std::string> items;
  while (true) {
    auto next = stream.Next(kPatience);
    INFO(next.status().ToString());
    REQUIRE(next.ok());
    if (auto* end = std::get_if<Output>(&*next)) {
      output = std::move(*end);
      return items;
    }
    const Item& item = std::get<Item>(*next);
    items.push_back(absl::StrCat(item.dispatch, ":", item.sequence, ":", item.data));
    after(items.size());
  }
}

TEST_CASE("While the server is killed every item is read once per dispatch, and in order") {
  constexpr int kItems = 20'000;
  Up up;
  auto executor = executor::Executor::Make(
      {.inputs_address = up.address(), .access_file = up.access(), .concurrency = 2});
  REQUIRE(executor.ok());
  REQUIRE((*executor)
              ->Handle("count",
                       [](executor::Context& context) -> absl::StatusOr<executor::Result> {
                         for (int i = 1; i <= kItems; ++i) {
                           auto yielded = context.Yield(absl::StrCat(i), "text/plain");
                           if (!yielded.ok()) return yielded;
                         }
                         return executor::Result{absl::StrCat(context.dispatch()), "text/plain"};
                       })
              .ok());
  std::thread runs([&] { static_cast<void>((*executor)->Run()); });
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("count", ""));
  REQUIRE(task.ok());
  Output output;
  const auto stream = kan.Stream(task->id);
  const auto items = ReadToEnd(*stream, output, [&](size_t count) {
    if (count % 4000 != 1000) return;
    up.process().Kill();
    up.Restart();
  });
  CHECK(output.succeeded());
  CHECK(output.data == "1");
  REQUIRE(items.size() == kItems);
  for (int i = 1; i <= kItems; ++i) CHECK(items[i - 1] == absl::StrCat("1:", i, ":", i));
  // Who comes late reads the same.
  Output again;
  CHECK((ReadToEnd(*kan.Stream(task->id), again, [](size_t) {}) == items));
  CHECK(again.data == output.data);
  (*executor)->Stop();
  runs.join();
}

TEST_CASE("When the executor is killed the next one begins anew, and the reader is told") {
  Up up({.settings = {"inputs.grace=3s", "inputs.ping_interval=1s"}});
  TempDir directory;
  const std::string config = directory.File("executor.yaml");
  std::ofstream(config) << "types:\n"
                           "  lines:\n"
                           "    shell: 'for i in 1 2 3; do echo line $i of $KANTOKU_DISPATCH; done;"
                           " test $KANTOKU_DISPATCH -gt 1 || sleep 1000'\n"
                           "    items: lines\n"
                           "    content_type: text/plain\n";
  const auto start = [&] {
    auto executor = ChildProcess::Start(
        {.argv = {Binary("kantoku"), "executor", "--access", up.access(), "--config", config}});
    REQUIRE(executor.ok());
    return *std::move(executor);
  };
  auto executor = start();
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("lines", ""));
  REQUIRE(task.ok());
  Output output;
  const auto stream = kan.Stream(task->id);
  const auto items = ReadToEnd(*stream, output, [&](size_t count) {
    if (count != 3) return;
    executor->Kill();
    executor = start();
  });
  CHECK(output.succeeded());
  CHECK(output.data.empty());
  REQUIRE(items.size() == 6);
  const std::string dispatch = absl::StrCat(output.dispatch);
  for (size_t i = 1; i <= 3; ++i) {
    CHECK(items[i - 1] == absl::StrCat("1:", i, ":line ", i, " of 1"));
    CHECK(items[i + 2] == absl::StrCat(dispatch, ":", i, ":line ", i, " of ", dispatch));
  }
}

TEST_CASE("A generator goes on where it was, whoever is killed, and no item is missing") {
  Up up({.settings = {"inputs.grace=1s", "inputs.ping_interval=200ms"}});
  TempDir directory;
  const std::string config = directory.File("executor.yaml");
  std::ofstream(config) << R"(types:
  steps:
    shell: |
      i=$(cat $KANTOKU_CHECKPOINT 2>/dev/null || echo 0)
      while [ $i -lt 150 ]; do
        i=$((i + 1))
        echo $i
        echo $i > $KANTOKU_CHECKPOINT.new && mv $KANTOKU_CHECKPOINT.new $KANTOKU_CHECKPOINT
        sleep 0.02
      done
    items: lines
    checkpoint: file
)";
  const auto start = [&] {
    auto executor = ChildProcess::Start(
        {.argv = {Binary("kantoku"), "executor", "--access", up.access(), "--config", config}});
    REQUIRE(executor.ok());
    return *std::move(executor);
  };
  auto executor = start();
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("steps", "").With(Retry(RetryPolicy{.max_attempts = 10})));
  REQUIRE(task.ok());
  int killed = 0;
  uint32_t dispatch = 0;
  int last = 0;
  std::vector<int> begins;  // Of each dispatch.
  const auto stream = kan.Stream(task->id);
  while (true) {
    const auto next = stream->Next(kPatience);
    INFO(next.status().ToString());
    REQUIRE(next.ok());
    if (const auto* end = std::get_if<Output>(&*next)) {
      CHECK(end->succeeded());
      break;
    }
    const Item& item = std::get<Item>(*next);
    const int number = std::stoi(item.data);
    if (item.dispatch != dispatch) begins.push_back(number);
    // Within a dispatch one after the other; between two some may come again, and none is left out.
    CHECK((item.dispatch == dispatch ? number == last + 1 : number <= last + 1));
    dispatch = item.dispatch;
    last = number;
    if (begins.size() == 1 && number == 40 && killed == 0) {
      ++killed;
      executor->Kill();
      executor = start();
    } else if (number == 90 && killed == 1) {
      ++killed;
      up.process().Kill();  // The executor with it, so that what it says last is not heard.
      executor->Kill();
      up.Restart();
      executor = start();
    }
  }
  CHECK(killed == 2);
  CHECK(last == 150);
  REQUIRE(begins.size() == 3);
  CHECK(begins[0] == 1);
  CHECK(begins[1] > 20);
  CHECK(begins[2] > 60);
}

TEST_CASE("A PURE task is answered with the stored result, also after everybody was killed") {
  Up up;
  TempDir directory;
  const std::string config = directory.File("executor.yaml");
  const std::string runs = directory.File("runs");
  std::ofstream(config) << "types:\n  upper:\n    shell: 'echo run >> " << runs
                        << "; tr a-z A-Z'\n";
  const auto start = [&] {
    auto executor = ChildProcess::Start(
        {.argv = {Binary("kantoku"), "executor", "--access", up.access(), "--config", config}});
    REQUIRE(executor.ok());
    return *std::move(executor);
  };
  auto executor = start();
  const Task upper = Task("upper", "words").With(ReuseWithin(absl::Hours(1)));
  Client kan = up.Connect();
  const auto first = kan.Spawn(upper);
  REQUIRE(first.ok());
  REQUIRE(kan.Await(first->id, {.timeout = kPatience})->data == "WORDS");
  // The result is there before Inputs has heard of it.
  REQUIRE(Becomes([&] { return kan.Get(first->id)->state == TaskState::kSucceeded; }));
  for (const bool kill : {false, true}) {
    if (kill) {
      executor->Kill();
      up.process().Kill();
      up.Restart();
    }
    const auto again = kan.Spawn(upper);
    REQUIRE(again.ok());
    CHECK(again->reused);
    CHECK(again->id == first->id);
    CHECK(kan.Await(again->id, {.timeout = kPatience})->data == "WORDS");
  }
  std::ifstream lines(runs);
  CHECK(std::count(std::istreambuf_iterator<char>(lines), {}, '\n') == 1);
}

}  // namespace
}  // namespace kantoku::test
