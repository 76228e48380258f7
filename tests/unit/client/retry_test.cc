#include "client/cpp/src/retry.h"

#include <catch2/catch.hpp>

namespace kantoku::internal {
namespace {

constexpr uint64_t kHighest = ~uint64_t{0};

TEST_CASE("Pauses double up to a bound") {
  const absl::Status away = absl::UnavailableError("");
  CHECK(PauseAfter(away, 1, kHighest) <= absl::Milliseconds(50));
  CHECK(PauseAfter(away, 1, kHighest) > absl::Milliseconds(49));
  CHECK(PauseAfter(away, 3, kHighest) > absl::Milliseconds(199));
  CHECK(PauseAfter(away, 1'000'000, kHighest) <= absl::Seconds(2));
  CHECK(PauseAfter(away, 1'000'000, kHighest) > absl::Milliseconds(1'999));
}

TEST_CASE("Half of a pause is drawn at random") {
  CHECK(PauseAfter(absl::UnavailableError(""), 1, 0) == absl::Milliseconds(25));
}

TEST_CASE("A full server is left alone for longer than one that is away") {
  CHECK(PauseAfter(absl::ResourceExhaustedError(""), 1, 0) >
        PauseAfter(absl::UnavailableError(""), 1, kHighest));
}

TEST_CASE("Only what may succeed unchanged is repeated") {
  CHECK(IsWorthRepeating(absl::UnavailableError("")));
  CHECK(IsWorthRepeating(absl::ResourceExhaustedError("")));
  CHECK_FALSE(IsWorthRepeating(absl::InvalidArgumentError("")));
  CHECK_FALSE(IsWorthRepeating(absl::NotFoundError("")));
  CHECK_FALSE(IsWorthRepeating(absl::FailedPreconditionError("")));
  CHECK_FALSE(IsWorthRepeating(absl::InternalError("")));
  CHECK_FALSE(IsWorthRepeating(absl::OkStatus()));
}

}  // namespace
}  // namespace kantoku::internal
