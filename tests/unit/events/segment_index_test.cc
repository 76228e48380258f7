#include "services/events/segment_index.h"

#include <catch2/catch.hpp>

namespace kantoku::events {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'700'000'000);

TEST_CASE("An empty index expires nothing") {
  SegmentIndex index({});
  CHECK(index.NextExpiry() == absl::InfiniteFuture());
  CHECK_FALSE(index.TakeExpired(absl::InfiniteFuture()));
}

TEST_CASE("Rows leave when the newest of their segment is too old, the open segment as well") {
  SegmentIndex index({.age = absl::Hours(1)});
  index.Add(1, 10, kNoon);
  index.Add(2, 10, kNoon + absl::Seconds(30));
  CHECK(index.NextExpiry() == kNoon + absl::Hours(1) + absl::Seconds(30));
  CHECK_FALSE(index.TakeExpired(kNoon + absl::Hours(1)));

  const auto expired = index.TakeExpired(kNoon + absl::Hours(1) + absl::Seconds(30));
  REQUIRE(expired);
  CHECK(expired->first == 1);
  CHECK(expired->last == 2);
  CHECK(index.bytes() == 0);
  CHECK(index.NextExpiry() == absl::InfiniteFuture());

  index.Add(3, 10, kNoon + absl::Hours(2));
  CHECK(index.TakeExpired(kNoon + absl::Hours(3))->first == 3);
}

TEST_CASE("A segment spans a small part of the retention's age, however few its rows are") {
  SegmentIndex index({.age = absl::Hours(64)});
  CHECK_FALSE(index.Add(1, 10, kNoon));
  CHECK_FALSE(index.Add(2, 10, kNoon + absl::Minutes(59)));
  const auto closed = index.Add(3, 10, kNoon + absl::Minutes(60));
  REQUIRE(closed);
  CHECK(closed->first == 1);
  CHECK(closed->last == 2);
  CHECK(index.TakeExpired(kNoon + absl::Hours(64) + absl::Minutes(59))->last == 2);
}

TEST_CASE("The oldest segments leave while there are too many bytes, but never the last") {
  SegmentIndex index({.age = absl::Hours(1), .max_bytes = 6400});
  for (RowNumber row = 1; row <= 100; ++row) index.Add(row, 100, kNoon);
  CHECK(index.NextExpiry() == absl::InfinitePast());
  RowNumber first_kept = 1;
  while (const auto expired = index.TakeExpired(kNoon)) {
    CHECK(expired->first == first_kept);
    first_kept = expired->last + 1;
  }
  CHECK(index.bytes() <= 6400);
  CHECK(index.bytes() > 6400 - 2 * 132);
  CHECK(first_kept > 1);
  CHECK(first_kept < 100);

  SegmentIndex one({.age = absl::Hours(1), .max_bytes = 10});
  one.Add(1, 1000, kNoon);
  CHECK_FALSE(one.TakeExpired(kNoon));
}

TEST_CASE("Segments that were stored count like those that were added") {
  SegmentIndex index({.age = absl::Hours(1), .max_bytes = 1000});
  index.Restore({.first = 1, .last = 10, .bytes = 900, .newest = kNoon});
  index.Add(11, 200, kNoon);
  const auto expired = index.TakeExpired(kNoon);
  REQUIRE(expired);
  CHECK(expired->last == 10);
  CHECK_FALSE(index.TakeExpired(kNoon));
}

TEST_CASE("A clock that jumps back does not make rows older than they are") {
  SegmentIndex index({.age = absl::Hours(1)});
  index.Add(1, 10, kNoon);
  index.Add(2, 10, kNoon - absl::Minutes(50));
  CHECK_FALSE(index.TakeExpired(kNoon + absl::Minutes(59)));
  CHECK(index.TakeExpired(kNoon + absl::Minutes(60)));
}

}  // namespace
}  // namespace kantoku::events
