#include "services/inputs/ping_times.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

namespace kantoku::inputs {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(2);
constexpr absl::Duration kStart = absl::Seconds(1'000);

// How often each was due until then, every one put back.
std::map<int, int> TakeUntil(PingTimes<int>& times, absl::Duration now) {
  std::map<int, int> counts;
  while (auto due = times.Take(now)) {
    ++counts[due->who];
    times.Repeat(*due, now);
  }
  return counts;
}

TEST_CASE("Each is due once in an interval, for the first time within one") {
  PingTimes<int> times(kInterval);
  CHECK(times.next() == absl::InfiniteDuration());
  for (int who = 0; who < 100; ++who) times.Add(who, kStart);
  for (int round = 1; round <= 5; ++round) {
    std::map<int, int> counts;
    for (int part = 1; part <= 10; ++part) {
      const absl::Duration now = kStart + kInterval * (round - 1) + kInterval * part / 10;
      for (const auto& [who, count] : TakeUntil(times, now)) counts[who] += count;
      CHECK(times.next() > now);
    }
    CHECK(counts.size() == 100);
    for (const auto& [who, count] : counts) CHECK(count == 1);
  }
}

TEST_CASE("Those that came at one time are due in equal parts of the interval") {
  PingTimes<int> times(kInterval);
  for (int who = 0; who < 1'000; ++who) times.Add(who, kStart);
  for (int part = 1; part <= 20; ++part) {
    const size_t due = TakeUntil(times, kStart + kInterval * part / 20).size();
    CHECK(due >= 45);
    CHECK(due <= 55);
  }
}

TEST_CASE("Who looks late finds each due once, and those then apart as they were before") {
  PingTimes<int> times(kInterval);
  for (int who = 0; who < 1'000; ++who) times.Add(who, kStart);
  const absl::Duration late = kStart + 100 * kInterval;
  const std::map<int, int> counts = TakeUntil(times, late);
  CHECK(counts.size() == 1'000);
  for (const auto& [who, count] : counts) CHECK(count == 1);
  CHECK(times.next() > late);
  const size_t due = TakeUntil(times, late + kInterval / 20).size();
  CHECK(due >= 45);
  CHECK(due <= 55);
}

TEST_CASE("What is taken and not put back is due no more") {
  PingTimes<int> times(kInterval);
  times.Add(1, kStart);
  times.Add(2, kStart);
  const auto first = times.Take(kStart + kInterval);
  REQUIRE(first.has_value());
  const std::set<int> others = {first->who == 1 ? 2 : 1};
  const std::vector<int> left = times.Clear();
  CHECK(std::set<int>(left.begin(), left.end()) == others);
  CHECK(times.next() == absl::InfiniteDuration());
}

}  // namespace
}  // namespace kantoku::inputs
