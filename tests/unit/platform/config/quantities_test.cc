#include "services/platform/config/quantities.h"

#include <catch2/catch.hpp>

namespace kantoku::platform {
namespace {

TEST_CASE("Durations are numbers with units, largest first") {
  const auto [text, expected] = GENERATE(table<std::string, absl::Duration>({
      {"500ms", absl::Milliseconds(500)},
      {"2s", absl::Seconds(2)},
      {"1.5s", absl::Milliseconds(1500)},
      {"0", absl::ZeroDuration()},
      {"0s", absl::ZeroDuration()},
      {"1h", absl::Hours(1)},
      {"7d", absl::Hours(168)},
      {"1h30m", absl::Minutes(90)},
      {"1m1s1ms", absl::Milliseconds(61'001)},
  }));
  CHECK(ParseConfigDuration(text) == expected);
}

TEST_CASE("Text that is no duration is nothing") {
  const auto* const text = GENERATE("", "5", "s", "-1s", "1 s", "1w", "1s1h", "1s2s", "1..5s",
                                    "1e3s", "inf", "1sx", "3652501d", "999999999999999999d");
  CHECK_FALSE(ParseConfigDuration(text).has_value());
}

TEST_CASE("A duration is read back from its text") {
  const absl::Duration duration = GENERATE(
      absl::ZeroDuration(), absl::Milliseconds(1), absl::Milliseconds(1500), absl::Seconds(59),
      absl::Minutes(90), absl::Hours(24 * 7) + absl::Milliseconds(250), absl::Microseconds(1500),
      absl::Nanoseconds(1), absl::Seconds(999'990) + absl::Nanoseconds(100),
      absl::Hours(240'000) - absl::Nanoseconds(1));
  CHECK(ParseConfigDuration(FormatConfigDuration(duration)) == duration);
}

TEST_CASE("Durations are written in the largest units") {
  CHECK(FormatConfigDuration(absl::Hours(168)) == "7d");
  CHECK(FormatConfigDuration(absl::Minutes(90)) == "1h30m");
  CHECK(FormatConfigDuration(absl::Milliseconds(500)) == "500ms");
  CHECK(FormatConfigDuration(absl::ZeroDuration()) == "0s");
}

TEST_CASE("Sizes are plain numbers or have a unit") {
  CHECK(ParseConfigSize("1048576") == 1048576u);
  CHECK(ParseConfigSize("4MiB") == 4u << 20);
  CHECK(ParseConfigSize("1KiB") == 1024u);
  CHECK(ParseConfigSize("10GiB") == uint64_t{10} << 30);
  CHECK(ParseConfigSize("18446744073709551615") == UINT64_MAX);
}

TEST_CASE("Text that is no size is nothing") {
  const auto* const text = GENERATE("", "MiB", "-1", "+1", "1.5MiB", "4MB", "4 MiB", "0x10",
                                    "18446744073709551616", "16777216TiB", "1e6");
  CHECK_FALSE(ParseConfigSize(text).has_value());
}

}  // namespace
}  // namespace kantoku::platform
