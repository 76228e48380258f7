#include "services/platform/proto_time.h"

#include <catch2/catch.hpp>

namespace kantoku::platform {
namespace {

TEST_CASE(
    "Durations and times read back from protobuf, to the nanosecond and either side of zero") {
  const absl::Duration duration =
      GENERATE(absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1'500),
               absl::Hours(24 * 3'650), -absl::Milliseconds(1'500));
  CHECK(FromProto(ToProto(duration)) == duration);
  const absl::Time time = absl::UnixEpoch() + duration;
  CHECK(FromProto(ToProto(time)) == time);
  CHECK(ToProto(time).nanos() >= 0);
}

}  // namespace
}  // namespace kantoku::platform
