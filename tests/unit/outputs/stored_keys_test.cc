#include "services/outputs/stored_keys.h"

#include <catch2/catch.hpp>

#include "services/platform/ids.h"

namespace kantoku::outputs {
namespace {

constexpr size_t kBlock = 4'096;

platform::RecordKey KeyOf(uint32_t slot, uint64_t sequence) {
  return platform::RecordKey{slot} << platform::TaskId::kSequenceBits | sequence;
}

TEST_CASE("Only what was added may be there, and what is older than the first look") {
  StoredKeys keys;
  CHECK_FALSE(keys.Knows(7));
  keys.Begin(7, KeyOf(7, 10));
  CHECK(keys.Knows(7));
  CHECK(keys.MayHold(KeyOf(7, 3)));
  CHECK(keys.MayHold(KeyOf(7, 10)));
  CHECK_FALSE(keys.MayHold(KeyOf(7, 11)));
  keys.Add(KeyOf(7, 9'000));
  CHECK(keys.MayHold(KeyOf(7, 9'000)));
  CHECK_FALSE(keys.MayHold(KeyOf(7, 8'999)));
  CHECK_FALSE(keys.MayHold(KeyOf(7, 9'000 - kBlock)));
}

TEST_CASE("Slots know nothing of each other") {
  StoredKeys keys;
  keys.Begin(1, KeyOf(1, 500));
  keys.Begin(2, 0);
  keys.Add(KeyOf(2, 100));
  CHECK_FALSE(keys.MayHold(KeyOf(1, 501)));
  CHECK(keys.MayHold(KeyOf(1, 100)));
  CHECK_FALSE(keys.MayHold(KeyOf(2, 99)));
}

TEST_CASE("Of the oldest tasks everything is possible again, as memory is bounded") {
  StoredKeys keys(/*max_blocks=*/2);
  keys.Begin(1, 0);
  keys.Begin(2, 0);
  for (uint64_t block = 0; block < 3; ++block) keys.Add(KeyOf(1, block * kBlock + 5));
  CHECK(keys.MayHold(KeyOf(1, 4)));
  CHECK(keys.MayHold(KeyOf(1, 5)));
  CHECK_FALSE(keys.MayHold(KeyOf(1, 6)));
  CHECK(keys.MayHold(KeyOf(1, kBlock + 5)));
  CHECK(keys.MayHold(KeyOf(1, 2 * kBlock + 5)));
  // One that comes late among them takes no room.
  keys.Add(KeyOf(1, 3));
  CHECK(keys.MayHold(KeyOf(1, kBlock + 5)));
  CHECK_FALSE(keys.MayHold(KeyOf(1, kBlock + 6)));
  CHECK_FALSE(keys.MayHold(KeyOf(2, 1)));
}

}  // namespace
}  // namespace kantoku::outputs
