#include "services/outputs/inputs_lookup.h"

#include <catch2/catch.hpp>
#include <vector>

namespace kantoku::outputs {
namespace {

Awaited Task(uint64_t sequence) {
  return {platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5), 1};
}
bool All(const Awaited&) { return true; }
bool None(const Awaited&) { return false; }

constexpr absl::Duration kStart = absl::Hours(1);

TEST_CASE("Inputs is asked a while after somebody began to wait, if somebody still does") {
  InputsLookup lookup({.delay = absl::Milliseconds(100)});
  CHECK(lookup.NextDue() == absl::InfiniteDuration());
  lookup.Add(Task(1), kStart);
  lookup.Add(Task(2), kStart);
  CHECK(lookup.NextDue() == kStart + absl::Milliseconds(100));
  CHECK(lookup.Take(kStart + absl::Milliseconds(99), All).empty());
  const auto only_two = [](const Awaited& awaited) { return awaited == Task(2); };
  CHECK(lookup.Take(lookup.NextDue(), only_two) == std::vector<Awaited>{Task(2)});
  CHECK(lookup.size() == 0);
}

TEST_CASE("When nobody waits any more nothing is under way") {
  InputsLookup lookup({});
  lookup.Add(Task(1), kStart);
  CHECK(lookup.Take(lookup.NextDue(), None).empty());
  lookup.Add(Task(2), kStart);
  CHECK(lookup.Take(lookup.NextDue(), All) == std::vector<Awaited>{Task(2)});
}

TEST_CASE("One question is under way at a time, with a bounded number of tasks") {
  InputsLookup lookup({.max_tasks = 2});
  for (uint64_t i = 1; i <= 3; ++i) lookup.Add(Task(i), kStart);
  const absl::Duration now = kStart + absl::Seconds(1);
  CHECK(lookup.Take(now, All) == std::vector<Awaited>{Task(1), Task(2)});
  CHECK(lookup.Take(now, All).empty());
  CHECK(lookup.NextDue() == absl::InfiniteDuration());
  lookup.Succeeded();
  CHECK(lookup.NextDue() <= now);
  CHECK(lookup.Take(now, All) == std::vector<Awaited>{Task(3)});
}

TEST_CASE("A question that failed is repeated for ever, with growing pauses up to a bound") {
  InputsLookup lookup({.delay = absl::ZeroDuration(),
                       .first_pause = absl::Milliseconds(100),
                       .max_pause = absl::Seconds(1)});
  lookup.Add(Task(1), kStart);
  absl::Duration now = kStart;
  std::vector<absl::Duration> pauses;
  for (int i = 0; i < 8; ++i) {
    auto tasks = lookup.Take(now, All);
    REQUIRE(tasks == std::vector<Awaited>{Task(1)});
    lookup.Failed(std::move(tasks), now, 0);
    CHECK(lookup.failing());
    pauses.push_back(lookup.NextDue() - now);
    now = lookup.NextDue();
  }
  CHECK(pauses[0] == absl::Milliseconds(100));
  CHECK(pauses[1] == absl::Milliseconds(200));
  CHECK(pauses[7] == absl::Seconds(1));

  CHECK(lookup.Take(now, All).size() == 1);
  lookup.Succeeded();
  CHECK_FALSE(lookup.failing());
}

TEST_CASE("Pauses are shortened at random, by a quarter at most") {
  for (uint64_t random = 0; random < 5000; random += 37) {
    InputsLookup lookup({.first_pause = absl::Milliseconds(100)});
    lookup.Add(Task(1), kStart);
    lookup.Failed(lookup.Take(kStart + absl::Seconds(1), All), kStart, random);
    CHECK(lookup.NextDue() >= kStart + absl::Milliseconds(75));
    CHECK(lookup.NextDue() <= kStart + absl::Milliseconds(100));
  }
}

TEST_CASE("A task of which Inputs cannot say anything comes again late, and holds up no other") {
  InputsLookup lookup({.delay = absl::Milliseconds(100), .max_pause = absl::Seconds(5)});
  lookup.Add(Task(1), kStart);
  absl::Duration now = lookup.NextDue();
  REQUIRE(lookup.Take(now, All).size() == 1);
  lookup.Succeeded();
  lookup.AskLater(Task(1), now);
  const absl::Duration again = lookup.NextDue();
  CHECK(again == now + absl::Seconds(5));

  lookup.Add(Task(2), now);
  CHECK(lookup.size() == 2);
  now = lookup.NextDue();
  CHECK(now < again);
  CHECK(lookup.Take(now, All) == std::vector<Awaited>{Task(2)});
  lookup.Succeeded();
  CHECK(lookup.NextDue() == again);
  CHECK(lookup.Take(again, All) == std::vector<Awaited>{Task(1)});
  CHECK(lookup.size() == 0);
}

TEST_CASE("What was awaited and forgotten over and over does not pile up") {
  InputsLookup lookup({});
  for (int i = 0; i < 50'000; ++i) {
    lookup.Add(Task(1), kStart);
    lookup.Trim(1, All);
  }
  CHECK(lookup.size() <= 10'002);
  for (int i = 0; i < 20'000; ++i) lookup.Add(Task(1), kStart);
  lookup.Trim(1, All);
  CHECK(lookup.size() == 1);
}

}  // namespace
}  // namespace kantoku::outputs
