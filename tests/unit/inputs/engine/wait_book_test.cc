#include "services/inputs/engine/wait_book.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "catch2/catch.hpp"

namespace kantoku::inputs {
namespace {

std::map<WaitCause, int64_t> Split(const CauseLog& log, int64_t from, int64_t to) {
  std::map<WaitCause, int64_t> parts;
  log.Split(from, to, [&](WaitCause cause, int64_t time) {
    CHECK(time > 0);
    parts[cause] += time;
  });
  return parts;
}

TEST_CASE("A log tells of any recent time which cause held how long") {
  CauseLog log;
  log.Set(WaitCause::kNoImplementation, 100);
  log.Set(WaitCause::kNoCredit, 130);
  log.Set(WaitCause::kPlacementUnmatched, 130);  // For no time.
  log.Set(WaitCause::kNoCredit, 130);
  log.Set(WaitCause::kNoImplementation, 200);
  using Parts = std::map<WaitCause, int64_t>;
  CHECK(Split(log, 120, 150) ==
        Parts{{WaitCause::kNoImplementation, 10}, {WaitCause::kNoCredit, 20}});
  CHECK(Split(log, 140, 260) ==
        Parts{{WaitCause::kNoCredit, 60}, {WaitCause::kNoImplementation, 60}});
  CHECK(Split(log, 205, 207) == Parts{{WaitCause::kNoImplementation, 2}});
  CHECK(Split(log, 150, 150).empty());
}

TEST_CASE("Old intervals of a log merge, and still sum up") {
  CauseLog log;
  for (int64_t i = 0; i < 1'000; ++i) {
    log.Set(i % 2 == 0 ? WaitCause::kNoCredit : WaitCause::kNoImplementation, i * 10);
  }
  const auto all = Split(log, 0, 10'000);
  CHECK(all.at(WaitCause::kNoCredit) == 5'000);
  CHECK(all.at(WaitCause::kNoImplementation) == 5'000);
  for (int64_t from = 0; from < 10'000; from += 77) {
    int64_t sum = 0;
    for (const auto& [cause, time] : Split(log, from, 10'000)) sum += time;
    CHECK(sum == 10'000 - from);
  }
  const auto recent = Split(log, 9'955, 9'985);
  CHECK(recent.at(WaitCause::kNoImplementation) == 15);
  CHECK(recent.at(WaitCause::kNoCredit) == 15);
}

Task Waiting(uint64_t sequence) {
  Task task;
  task.id = platform::TaskId::Make(absl::UnixEpoch(), 1, sequence, 0);
  return task;
}

int64_t Of(const CauseTimes& times, WaitCause cause) { return times[static_cast<size_t>(cause)]; }

TEST_CASE("Of causes that hold together the first in the order counts, for each pair of them") {
  constexpr std::array kInOrder = {
      WaitCause::kRecovering,       WaitCause::kPaused,
      WaitCause::kDependency,       WaitCause::kDelay,
      WaitCause::kBackoff,          WaitCause::kFence,
      WaitCause::kNoImplementation, WaitCause::kPlacementUnmatched,
      WaitCause::kOrderingKey,      WaitCause::kConcurrencyKey,
      WaitCause::kRateKey,          WaitCause::kFairnessTurn,
      WaitCause::kNoCredit,
  };
  for (size_t first = 0; first < kInOrder.size(); ++first) {
    for (size_t second = first; second < kInOrder.size(); ++second) {
      CAPTURE(first, second);
      CHECK(WaitBook::FirstOf(kInOrder[first], kInOrder[second]) == kInOrder[first]);
      CHECK(WaitBook::FirstOf(kInOrder[second], kInOrder[first]) == kInOrder[first]);
    }
    // The executor's queue is the last that a task waits in, when all before it is over. What holds
    // of the lane that the task has left for it holds of the task no more, so it counts alone.
    CHECK(WaitBook::FirstOf(WaitCause::kExecutorQueue, kInOrder[first]) ==
          WaitCause::kExecutorQueue);
    CHECK(WaitBook::FirstOf(kInOrder[first], WaitCause::kNone) == kInOrder[first]);
  }
  STATIC_REQUIRE(kInOrder.size() + 2 == kWaitCauses);  // With none and the executor's queue.
}

TEST_CASE("A change of a lane's cause is O(1) in its tasks, which keep the time of their entry") {
  constexpr int64_t kTasks = 100'000;
  constexpr int64_t kRounds = 400'000;  // What a change did for each task would not end today.
  WaitBook book;
  book.Begin(0);
  book.AddLane(0, "n", "t");
  std::vector<Task> tasks;
  tasks.reserve(kTasks);
  book.Advance(7);
  for (int64_t i = 0; i < kTasks; ++i) {
    tasks.push_back(Waiting(static_cast<uint64_t>(i)));
    tasks.back().lane = 0;
    book.Change(tasks.back(), i % 4 == 0 ? WaitCause::kDelay : WaitCause::kNoCredit);
  }
  int64_t now = 7;
  for (int64_t i = 0; i < kRounds; ++i) {
    book.SetLane(0, WaitCause::kNoImplementation);
    book.Advance(now += 1);
    book.SetLane(0, WaitCause::kPaused);
    book.Advance(now += 2);
    book.SetLane(0, WaitCause::kNoCredit);
    book.Advance(now += 3);
  }
  const CauseTimes& totals = book.Totals().at({"n", "t"}).times;
  CHECK(Of(totals, WaitCause::kPaused) == 2 * kRounds * kTasks);
  CHECK(Of(totals, WaitCause::kDelay) == (1 + 3) * kRounds * kTasks / 4);
  CHECK(Of(totals, WaitCause::kNoImplementation) == 1 * kRounds * kTasks * 3 / 4);
  CHECK(Of(totals, WaitCause::kNoCredit) == 3 * kRounds * kTasks * 3 / 4);
  CHECK(std::accumulate(totals.begin(), totals.end(), int64_t{0}) == 6 * kRounds * kTasks);
  CHECK(std::ranges::all_of(tasks, [](const Task& task) { return task.waits_since() == 7; }));
  const CauseTimes times = book.TimesOf(tasks[1], now);
  CHECK(std::accumulate(times.begin(), times.end(), int64_t{0}) == 6 * kRounds);
}

TEST_CASE("What a task has waited for sums up over its own causes and those of its lane") {
  WaitBook book;
  Task task = Waiting(1);
  book.Begin(1'000);
  book.AddLane(0, "n", "t");
  book.SetLane(0, WaitCause::kNoImplementation);
  book.Change(task, WaitCause::kDelay);
  book.Advance(1'005);
  book.Change(task, WaitCause::kNoCredit);
  book.Advance(1'012);
  book.SetLane(0, WaitCause::kNoCredit);
  book.Advance(1'020);
  CHECK(book.CauseOf(task) == WaitCause::kNoCredit);
  const CauseTimes times = book.TimesOf(task, 1'023);
  CHECK(Of(times, WaitCause::kDelay) == 5);
  CHECK(Of(times, WaitCause::kNoImplementation) == 7);
  CHECK(Of(times, WaitCause::kNoCredit) == 11);
  CHECK(std::accumulate(times.begin(), times.end(), int64_t{0}) == 23);
  book.Change(task, WaitCause::kNone);
  book.Advance(2'000);
  CHECK(Of(book.TimesOf(task, 2'000), WaitCause::kNoCredit) == 8);
  book.Forget(task);
  Task again = Waiting(1);
  again.lane = task.lane;
  const CauseTimes known = {{0, 3, 4}};
  book.Recover(again, known);
  CHECK(book.TimesOf(again, 2'000) == known);
}

TEST_CASE("What a group waits for and what holds of its members' lanes meet in each of them") {
  WaitBook book;
  book.Begin(100);
  book.AddLane(0, "n", "a");
  book.SetLane(0, WaitCause::kNoCredit);
  book.AddLane(1, "n", "b");
  book.SetLane(1, WaitCause::kNoImplementation);
  const WaitGroup group = book.AddGroup(WaitCause::kConcurrencyKey);
  Task here = Waiting(1);
  Task there = Waiting(2);
  here.lane = 0;
  there.lane = 1;
  book.Join(here, group);
  book.Join(there, group);
  book.Advance(110);
  CHECK(book.CauseOf(here) == WaitCause::kConcurrencyKey);
  CHECK(book.CauseOf(there) == WaitCause::kNoImplementation);
  book.SetLane(1, WaitCause::kNoCredit);
  book.Advance(130);
  book.SetGroup(group, WaitCause::kNoCredit);
  book.SetLane(0, WaitCause::kPaused);
  book.Advance(170);
  book.SetGroup(group, WaitCause::kConcurrencyKey);
  book.Advance(171);
  book.FreeGroup(group);  // Its members stay until they go.
  book.Advance(180);
  using Times = std::map<WaitCause, int64_t>;
  const auto times_of = [&](const Task& task) {
    Times times;
    const CauseTimes all = book.TimesOf(task, 180);
    for (size_t cause = 0; cause < kWaitCauses; ++cause) {
      if (all[cause] > 0) times[static_cast<WaitCause>(cause)] = all[cause];
    }
    return times;
  };
  CHECK(times_of(here) == Times{{WaitCause::kConcurrencyKey, 30}, {WaitCause::kPaused, 50}});
  CHECK(times_of(there) == Times{{WaitCause::kNoImplementation, 10},
                                 {WaitCause::kConcurrencyKey, 20 + 10},
                                 {WaitCause::kNoCredit, 40}});
  book.Change(here, WaitCause::kOrderingKey);
  CHECK(book.AddGroup(WaitCause::kNoCredit) != group);
  book.Forget(there);
  CHECK(book.AddGroup(WaitCause::kNoCredit) == group);
  book.Advance(200);
  book.Forget(here);
  const auto total = [&](const char* type, WaitCause cause) {
    return Of(book.Totals().at({"n", type}).times, cause);
  };
  CHECK(total("a", WaitCause::kConcurrencyKey) == 30);
  CHECK(total("a", WaitCause::kPaused) == 50 + 20);
  CHECK(total("b", WaitCause::kConcurrencyKey) == 30);
  CHECK(total("b", WaitCause::kNoCredit) == 40);
}

TEST_CASE("A type's counters hold what waits at a key, too, however often that changes") {
  WaitBook book;
  book.Begin(0);
  book.AddLane(0, "n", "t");
  book.SetLane(0, WaitCause::kNoCredit);
  const WaitGroup group = book.AddGroup(WaitCause::kRateKey);
  std::vector<Task> tasks;
  for (int64_t i = 0; i < 1'000; ++i) {
    book.Advance(i * 10);
    tasks.push_back(Waiting(static_cast<uint64_t>(i)));
    tasks.back().lane = 0;
    book.Join(tasks.back(), group);
    book.Advance(i * 10 + 3);
    book.SetGroup(group, i % 2 == 0 ? WaitCause::kNoCredit : WaitCause::kRateKey);
  }
  CauseTimes sum{};
  book.Advance(10'000);
  for (const Task& task : tasks) {
    const CauseTimes times = book.TimesOf(task, 10'000);
    for (size_t cause = 0; cause < kWaitCauses; ++cause) sum[cause] += times[cause];
  }
  const CauseTimes& totals = book.Totals().at({"n", "t"}).times;
  // Of single tasks old shares are approximate.
  CHECK(std::accumulate(totals.begin(), totals.end(), int64_t{0}) ==
        std::accumulate(sum.begin(), sum.end(), int64_t{0}));
  int64_t rate = 0;  // Exactly: all that had come waited for tokens while the key lacked them.
  for (int64_t i = 0; i < 1'000; ++i) {
    const bool lacks_first = i == 0 || i % 2 == 0;
    rate += (lacks_first ? 3 : 7) * (i + 1);
  }
  CHECK(Of(totals, WaitCause::kRateKey) == rate);
}

TEST_CASE("The time before a server came back counts as recovering") {
  WaitBook book;
  Task task = Waiting(1);
  book.AddLane(0, "n", "t");
  book.SetLane(0, WaitCause::kNoCredit);
  book.Begin(50);
  book.Change(task, WaitCause::kNoCredit);
  book.WaitedSince(task, -1'000'000);
  book.Advance(60);
  CHECK(Of(book.TimesOf(task, 60), WaitCause::kRecovering) == 1'000'050);
  CHECK(Of(book.TimesOf(task, 60), WaitCause::kNoCredit) == 10);
}

TEST_CASE(
    "A type's counters hold what its living tasks wait for, too, and outlast its lanes by ten "
    "minutes") {
  WaitBook book;
  book.Begin(0);
  book.AddLane(0, "n", "t");
  book.SetLane(0, WaitCause::kNoImplementation);
  Task first = Waiting(1);
  Task second = Waiting(2);
  book.Change(first, WaitCause::kNoCredit);
  book.Advance(10);
  book.Change(second, WaitCause::kBackoff);
  book.Advance(14);
  book.SetLane(0, WaitCause::kNoCredit);
  book.Advance(20);
  book.Forget(first);
  book.Advance(30);
  const auto total = [&](WaitCause cause) { return Of(book.Totals().at({"n", "t"}).times, cause); };
  CHECK(total(WaitCause::kNoImplementation) == 10 + 4);
  CHECK(total(WaitCause::kNoCredit) == 6);
  CHECK(total(WaitCause::kBackoff) == 20);
  book.Forget(second);
  book.AddLane(1, "n", "t");
  book.FreeLane(0);
  CHECK(total(WaitCause::kNoCredit) == 6);
  book.FreeLane(1);
  book.Advance(30 + WaitBook::kKeptIdle - 1);
  CHECK(total(WaitCause::kNoCredit) == 6);
  book.AddLane(0, "n", "t");
  book.Advance(30 + WaitBook::kKeptIdle);
  CHECK(total(WaitCause::kNoCredit) == 6);
  book.FreeLane(0);
  book.Advance(30 + 2 * WaitBook::kKeptIdle);
  CHECK(book.Totals().empty());
}

TEST_CASE("Of types that nobody uses any more only so many counters are kept") {
  WaitBook book;
  book.Begin(0);
  for (size_t i = 0; i <= WaitBook::kMostIdle; ++i) {
    book.AddLane(0, "n", absl::StrCat("t", i));
    book.FreeLane(0);
  }
  CHECK(book.Totals().size() == WaitBook::kMostIdle);
  book.AddLane(0, "n", "t0");  // One that is used again makes room.
  book.AddLane(1, "n", "another");
  book.FreeLane(1);
  CHECK(book.Totals().size() == WaitBook::kMostIdle + 1);
  book.Advance(WaitBook::kKeptIdle);
  CHECK(book.Totals().size() == 1);
}

}  // namespace
}  // namespace kantoku::inputs
