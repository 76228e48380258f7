#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <vector>

#include "services/inputs/engine/bucket.h"
#include "services/inputs/engine/ready_queue.h"

namespace kantoku::inputs {
namespace {

using absl::Microseconds;
using absl::Milliseconds;
using absl::Seconds;

TEST_CASE("A bucket gives its burst and what its rate adds, to the token, however it is asked") {
  std::mt19937_64 random(3);
  for (int run = 0; run < 200; ++run) {
    const Rate rate{.tokens = static_cast<uint32_t>(1 + random() % 7),
                    .period_ms = static_cast<uint32_t>(1 + random() % 3'000),
                    .burst = static_cast<uint32_t>(1 + random() % 9)};
    Bucket bucket;
    absl::Duration now = Seconds(random() % 100);
    bucket.SetRate(rate, now);
    bucket.Drain(now);
    const absl::Duration start = now;
    uint64_t taken = 0;
    for (int i = 0; i < 300; ++i) {
      now += Microseconds(random() % 1'000'000);
      while (bucket.Has(1, now)) {
        bucket.Take(1, now);
        ++taken;
      }
    }
    const double added = absl::ToDoubleMilliseconds(now - start) * rate.tokens / rate.period_ms;
    CAPTURE(rate.tokens, rate.period_ms, rate.burst, added);
    CHECK(static_cast<double>(taken) <= added + 1e-6);
  }
}

TEST_CASE("A bucket says to the microsecond when it holds enough") {
  Bucket bucket;
  bucket.SetRate({.tokens = 3, .period_ms = 1'000, .burst = 10}, Seconds(1));
  CHECK(bucket.WhenHas(10, Seconds(1)) == Seconds(1) + Microseconds(3'333'334));
  CHECK_FALSE(bucket.Has(10, Seconds(1) + Microseconds(3'333'333)));
  CHECK(bucket.Has(10, Seconds(1) + Microseconds(3'333'334)));
  CHECK(bucket.IsFull(Seconds(900'000'000)));
}

TEST_CASE(
    "A bucket has enough for many takes together when it holds them all, never beyond its burst") {
  Bucket bucket;
  CHECK(bucket.HasAll(uint64_t{1} << 60, Seconds(0)));  // Nothing is set.
  bucket.SetRate({.tokens = 1, .period_ms = 86'400'000, .burst = 1'000'000}, Seconds(0));
  bucket.Fill(Seconds(0));
  CHECK(bucket.HasAll(1'000'000, Seconds(0)));
  CHECK_FALSE(bucket.HasAll(1'000'001, Seconds(0)));
  CHECK_FALSE(bucket.HasAll(uint64_t{1} << 40, Seconds(0)));
  bucket.Hold(2, Seconds(0));
  bucket.Take(3, Seconds(0));
  CHECK(bucket.HasAll(999'995, Seconds(0)));
  CHECK_FALSE(bucket.HasAll(999'996, Seconds(0)));
}

TEST_CASE("A rate tells whether its bucket fills within a time, to the millisecond") {
  const Rate most{.tokens = 1, .period_ms = 86'400'000, .burst = 1'000'000};
  CHECK_FALSE(most.FillsWithin(86'400'000));
  CHECK(most.FillsWithin(uint64_t{86'400'000} * 1'000'000));
  const Rate rate{.tokens = 3, .period_ms = 1'000, .burst = 10};
  CHECK_FALSE(rate.FillsWithin(3'333));
  CHECK(rate.FillsWithin(3'334));
  Bucket bucket;
  bucket.SetRate(rate, Seconds(1));
  CHECK_FALSE(bucket.IsFull(Seconds(1) + Milliseconds(3'333)));
  CHECK(bucket.IsFull(Seconds(1) + Milliseconds(3'334)));
}

TEST_CASE("A cost beyond the burst waits for a full bucket and leaves it owing the rest") {
  Bucket bucket;
  bucket.SetRate({.tokens = 1, .period_ms = 1'000, .burst = 2}, Seconds(0));
  bucket.Fill(Seconds(0));
  CHECK(bucket.Has(5, Seconds(0)));
  bucket.Take(5, Seconds(0));
  CHECK(bucket.Tokens(Seconds(0)) == -3);
  CHECK(bucket.WhenHas(1, Seconds(0)) == Seconds(4));
}

TEST_CASE("A rate that changes leaves a bucket what it holds, as far as its burst allows") {
  Bucket bucket;
  bucket.SetRate({.tokens = 1, .period_ms = 1'000, .burst = 10}, Seconds(0));
  bucket.Fill(Seconds(0));
  bucket.Take(4, Seconds(0));
  bucket.SetRate({.tokens = 5, .period_ms = 200, .burst = 8}, Seconds(1));
  CHECK(bucket.Tokens(Seconds(1)) == 7);
  bucket.SetRate({.tokens = 5, .period_ms = 200, .burst = 3}, Seconds(1));
  CHECK(bucket.Tokens(Seconds(1)) == 3);
}

TEST_CASE("What a bucket holds for somebody counts when he takes it, and fills it until then") {
  Bucket bucket;
  bucket.SetRate({.tokens = 1, .period_ms = 1'000, .burst = 3}, Seconds(0));
  bucket.Fill(Seconds(0));
  bucket.Hold(2, Seconds(0));
  CHECK(bucket.Tokens(Seconds(0)) == 1);
  bucket.Take(1, Seconds(0));
  CHECK(bucket.WhenHas(1, Seconds(0)) == Seconds(1));
  CHECK(bucket.WhenHas(2, Seconds(0)) == absl::InfiniteDuration());
  CHECK(bucket.Tokens(Seconds(9)) == 1);
  CHECK_FALSE(bucket.IsFull(Seconds(9)));
  SECTION("It is taken") {
    bucket.TakeHeld(2, Seconds(9));
    CHECK(bucket.Tokens(Seconds(9)) == 1);
    CHECK(bucket.Tokens(Seconds(20)) == 3);
  }
  SECTION("It is released") {
    bucket.Release(2, Seconds(9));
    CHECK(bucket.Tokens(Seconds(9)) == 3);
    CHECK(bucket.IsFull(Seconds(9)));
  }
  SECTION("The burst is less by then") {
    bucket.SetRate({.tokens = 1, .period_ms = 500, .burst = 2}, Seconds(9));
    CHECK(bucket.Tokens(Seconds(9)) == 0);
    bucket.Release(2, Seconds(9));
    CHECK(bucket.Tokens(Seconds(9)) == 2);
  }
}

TEST_CASE(
    "Flows of a ready queue that have tasks get what is popped in proportion to their weights") {
  std::mt19937_64 random(4);
  ReadyQueue queue;
  const std::map<FlowNumber, uint32_t> weights = {{kCommonFlow, 1}, {1, 1}, {2, 3}, {3, 10}};
  const auto weight_of = [&](FlowNumber flow) { return weights.at(flow); };
  std::vector<FlowNumber> flow_of;
  std::map<FlowNumber, int> waiting;
  std::map<FlowNumber, TaskKey> latest;
  const auto is_waiting = [](TaskIndex, TaskKey) { return true; };
  std::map<FlowNumber, double> got;  // Since all of them had tasks.
  for (int i = 0; i < 40'000; ++i) {
    while (random() % 3 != 0) {
      auto flow = static_cast<FlowNumber>(random() % 4);
      if (waiting[flow] > 50) continue;
      queue.Push(static_cast<TaskIndex>(flow_of.size()), flow_of.size(), 0, flow, weights.at(flow));
      flow_of.push_back(flow);
      ++waiting[flow];
    }
    const TaskIndex task = queue.Pop(is_waiting, weight_of);
    if (task == kNoTask) continue;
    const FlowNumber flow = flow_of[task];
    --waiting[flow];
    const auto [last, first] = latest.try_emplace(flow, task);
    REQUIRE((first || last->second < task));  // Within a flow in the order of their keys.
    last->second = task;
    got[flow] += 1.0 / weights.at(flow);
    bool all = true;
    for (const auto& [each, weight] : weights) all &= waiting[each] > 0;
    if (!all) got.clear();
    for (const auto& [one, share] : got) {
      for (const auto& [other, others] : got) {
        REQUIRE(std::abs(share - others) <= 1.0 / weights.at(one) + 1.0 / weights.at(other) + 1e-6);
      }
    }
  }
}

TEST_CASE("A turn that was not used is given back") {
  ReadyQueue queue;
  const auto weight_of = [](FlowNumber) { return 1U; };
  const auto is_waiting = [](TaskIndex, TaskKey) { return true; };
  for (TaskIndex task = 0; task < 8; ++task) queue.Push(task, task, 0, task % 2 + 1);
  CHECK(queue.Pop(is_waiting, weight_of) == 0);
  queue.GiveBackTurn(0, 1, weight_of);
  CHECK(queue.Pop(is_waiting, weight_of) == 2);
  CHECK(queue.Pop(is_waiting, weight_of) == 1);
}

// Looks at all flows after each step.
TEST_CASE("While a flow waits for its turn its group says so") {
  std::mt19937_64 random(5);
  WaitBook waits;
  ReadyQueue queue(&waits);
  std::map<TaskKey, FlowNumber> waiting;  // By key, which is the task's, too.
  const auto weight_of = [](FlowNumber flow) { return flow + 1; };
  const auto is_waiting = [&](TaskIndex, TaskKey key) { return waiting.contains(key); };
  TaskIndex next = 0;
  int of_others = 0;
  for (int i = 0; i < 40'000; ++i) {
    const uint64_t kind = random() % 8;
    if (kind < 3 && waiting.size() < 60) {
      const auto flow = static_cast<FlowNumber>(random() % 6);
      waiting[next] = flow;
      queue.Push(next, next, 3, flow, weight_of(flow));
      ++next;
    } else if (kind < 5 && !waiting.empty()) {
      const auto gone = std::next(waiting.begin(), static_cast<int>(random() % waiting.size()));
      const FlowNumber flow = gone->second;
      waiting.erase(gone);
      queue.NoteGone(3, flow, is_waiting);
    } else if (const TaskIndex task = queue.Pop(is_waiting, weight_of); task != kNoTask) {
      const FlowNumber flow = waiting.at(task);
      waiting.erase(task);
      if (random() % 4 == 0) queue.GiveBackTurn(3, flow, weight_of);
    }
    if (waiting.empty()) continue;
    const FlowNumber turn = queue.TurnOf(3);
    REQUIRE(std::ranges::any_of(waiting, [&](const auto& entry) { return entry.second == turn; }));
    for (const auto& [key, flow] : waiting) {
      if (flow == kCommonFlow) continue;
      const WaitGroup group = queue.GroupOf(3, flow);
      REQUIRE(group != kNoGroup);
      REQUIRE((waits.CauseOfGroup(group) == WaitCause::kNoCredit) == (flow == turn));
      if (flow != turn) ++of_others;
    }
    if (i % 3 != 0) continue;
    // Who has the turn is popped next.
    const TaskIndex top = queue.Top(is_waiting);
    REQUIRE(waiting.at(top) == turn);
  }
  CHECK(of_others > 0);
}

TEST_CASE("Flows that lose their tasks one after the other cost no look at those before them") {
  constexpr TaskIndex kFlows = 100'000;
  WaitBook waits;
  ReadyQueue queue(&waits);
  TaskIndex gone = 0;  // How many; in the order in which they came.
  const auto is_waiting = [&](TaskIndex task, TaskKey) { return task >= gone; };
  for (TaskIndex task = 0; task < kFlows; ++task) queue.Push(task, task, 0, task + 1);
  while (gone < kFlows - 1) {
    queue.NoteGone(0, ++gone, is_waiting);
    REQUIRE(queue.TurnOf(0) == gone + 1);
  }
  CHECK(queue.Pop(is_waiting, [](FlowNumber) { return 1U; }) == kFlows - 1);
  CHECK(queue.empty());
}

TEST_CASE("Tasks that come and go cost no look at flows that lost theirs, had those turns or not") {
  constexpr TaskIndex kFlows = 100'000;
  const bool served = GENERATE(false, true);
  ReadyQueue queue;
  TaskIndex first = 0;  // That is there.
  const auto is_waiting = [&](TaskIndex task, TaskKey) { return task >= first; };
  const auto weight_of = [](FlowNumber) { return 1U; };
  const auto push = [&](TaskIndex task, FlowNumber flow) { queue.Push(task, task, 0, flow); };
  TaskIndex last = 0;
  for (FlowNumber flow = 1; flow <= kFlows; ++flow) push(last++, flow);
  while (served && first < kFlows) {
    REQUIRE(queue.Pop(is_waiting, weight_of) == first);
    push(last++, ++first);
  }
  const auto go = [&](FlowNumber flow) {
    ++first;
    queue.NoteGone(0, flow, is_waiting);
  };
  for (FlowNumber flow = 1; flow < kFlows; ++flow) go(flow);
  for (int i = 0; i < 1'000'000; ++i) {
    push(last++, kFlows);
    go(kFlows);
  }
  CHECK(queue.size() == 1);
  CHECK(queue.Pop(is_waiting, weight_of) == first);
}

}  // namespace
}  // namespace kantoku::inputs
