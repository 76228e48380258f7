#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_QUANTITIES_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_QUANTITIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace kantoku::platform {

// "500ms", "1.5s", "2m", "1h", "7d", or several of them, largest first: "1h30m". Nothing when it is
// something else, as a number without a unit is, or longer than 10,000 years. To the nanosecond.
std::optional<absl::Duration> ParseConfigDuration(std::string_view text);
// The shortest such text.
std::string FormatConfigDuration(absl::Duration duration);

// "1048576" or "1MiB" (KiB, MiB, GiB, TiB). Nothing when it is something else or does not fit.
std::optional<uint64_t> ParseConfigSize(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_QUANTITIES_H_
