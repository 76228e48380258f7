#include "services/platform/config/quantities.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

struct Unit {
  std::string_view name;
  absl::Duration length;
};

// Largest first. "ms" before "m" and "s", so that the longer name is found first.
const std::array<Unit, 5>& Units() {
  static const std::array<Unit, 5> units = {{{"d", absl::Hours(24)},
                                             {"h", absl::Hours(1)},
                                             {"ms", absl::Milliseconds(1)},
                                             {"m", absl::Minutes(1)},
                                             {"s", absl::Seconds(1)}}};
  return units;
}

// 10,000 years, as in google.protobuf.Duration.
constexpr absl::Duration kMaxDuration = absl::Seconds(315'576'000'000);
constexpr absl::Duration kTick = absl::Nanoseconds(1);  // Likewise.

constexpr std::array<std::pair<std::string_view, int>, 4> kSizeUnits = {
    {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};

// Takes "1.5h" off the front of `text`; nothing when there is none.
std::optional<std::pair<double, const Unit*>> TakePart(std::string_view& text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  double number = 0;
  if (digits == 0 || !absl::SimpleAtod(ToAbsl(text.substr(0, digits)), &number)) return {};
  text.remove_prefix(digits);
  for (const Unit& unit : Units()) {
    if (!text.starts_with(unit.name)) continue;
    text.remove_prefix(unit.name.size());
    return std::pair(number, &unit);
  }
  return {};
}

}  // namespace

std::optional<absl::Duration> ParseConfigDuration(std::string_view text) {
  if (text == "0") return absl::ZeroDuration();
  if (text.empty()) return {};
  absl::Duration sum;
  absl::Duration previous = absl::InfiniteDuration();
  while (!text.empty()) {
    const auto part = TakePart(text);
    if (!part.has_value() || part->second->length >= previous) return {};
    previous = part->second->length;
    sum += part->first * part->second->length;
  }
  if (sum > kMaxDuration) return {};
  return absl::Trunc(sum + kTick / 2, kTick);
}

std::string FormatConfigDuration(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", FormatConfigDuration(-duration));
  std::string text;
  for (const absl::Duration length : {absl::Hours(24), absl::Hours(1), absl::Minutes(1)}) {
    const int64_t count = absl::IDivDuration(duration, length, &duration);
    const char unit = length == absl::Minutes(1) ? 'm' : length == absl::Hours(1) ? 'h' : 'd';
    if (count != 0) absl::StrAppend(&text, count, std::string(1, unit));
  }
  if (duration % absl::Seconds(1) == absl::ZeroDuration()) {
    if (duration > absl::ZeroDuration())
      absl::StrAppend(&text, absl::ToInt64Seconds(duration), "s");
  } else if (duration % absl::Milliseconds(1) == absl::ZeroDuration() &&
             duration < absl::Seconds(1)) {
    absl::StrAppend(&text, absl::ToInt64Milliseconds(duration), "ms");
  } else {
    const int64_t whole = absl::IDivDuration(duration, absl::Seconds(1), &duration);
    const std::string fraction = absl::StrFormat("%09d", absl::ToInt64Nanoseconds(duration));
    absl::StrAppend(&text, whole, ".", fraction.substr(0, fraction.find_last_not_of('0') + 1), "s");
  }
  return text.empty() ? "0s" : text;
}

std::optional<uint64_t> ParseConfigSize(std::string_view text) {
  int shift = 0;
  for (const auto& [name, bits] : kSizeUnits) {
    if (!text.ends_with(name)) continue;
    text.remove_suffix(name.size());
    shift = bits;
  }
  uint64_t number = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos ||
      !absl::SimpleAtoi(ToAbsl(text), &number) ||
      number > std::numeric_limits<uint64_t>::max() >> shift) {
    return {};
  }
  return number << shift;
}

}  // namespace kantoku::platform
