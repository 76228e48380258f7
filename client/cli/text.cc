#include "client/cli/text.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/keys.h"

namespace kantoku::cli {

using platform::IsControlCharacter;
using platform::Utf8CharacterBytes;

std::string OneLine(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const size_t length = Utf8CharacterBytes(text);
    const std::string_view sequence = text.substr(0, std::max<size_t>(length, 1));
    if (length == 0) {
      line.push_back('?');
    } else if (sequence != " " && !IsControlCharacter(sequence)) {
      line.append(sequence);
    } else if (!line.empty() && line.back() != ' ') {
      line.push_back(' ');
    }
    text.remove_prefix(sequence.size());
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

bool IsShowable(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = Utf8CharacterBytes(bytes);
    if (length == 0) return false;
    const std::string_view sequence = bytes.substr(0, length);
    if (IsControlCharacter(sequence) && sequence != "\n" && sequence != "\t" && sequence != "\r") {
      return false;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

size_t WidthOf(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string Padded(std::string_view text, size_t width) {
  std::string padded(text);
  padded.append(width - std::min(width, WidthOf(text)), ' ');
  return padded;
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string AgeText(absl::Duration age) {
  age = std::max(age, absl::ZeroDuration());
  if (age < absl::Minutes(1)) return absl::StrCat(absl::ToInt64Seconds(age), "s");
  if (age < absl::Hours(1)) return absl::StrCat(absl::ToInt64Minutes(age), "m");
  if (age < absl::Hours(48)) return absl::StrCat(absl::ToInt64Hours(age), "h");
  return absl::StrCat(absl::ToInt64Hours(age) / 24, "d");
}

std::string TookText(absl::Duration took) {
  took = std::max(took, absl::ZeroDuration());
  if (took < absl::Milliseconds(10)) {
    return absl::StrFormat("%.1fms", absl::ToDoubleMilliseconds(took));
  }
  if (took < absl::Seconds(1)) return absl::StrCat(absl::ToInt64Milliseconds(took), "ms");
  if (took < absl::Minutes(1)) return absl::StrFormat("%.2fs", absl::ToDoubleSeconds(took));
  const int64_t seconds = absl::ToInt64Seconds(took);
  if (took < absl::Hours(1)) return absl::StrFormat("%dm%02ds", seconds / 60, seconds % 60);
  return absl::StrFormat("%dh%02dm", seconds / 3600, seconds / 60 % 60);
}

std::string SizeText(size_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " bytes");
  const double kib = static_cast<double>(bytes) / 1024;
  return kib < 1024 ? absl::StrFormat("%.1f KiB", kib) : absl::StrFormat("%.1f MiB", kib / 1024);
}

std::string_view WaitText(WaitCause cause) {
  switch (cause) {
    case WaitCause::kNone:
      return "";
    case WaitCause::kDelay:
      return "its time";
    case WaitCause::kBackoff:
      return "its next attempt";
    case WaitCause::kFence:
      return "its last run to be closed";
    case WaitCause::kNoImplementation:
      return "an executor of its type";
    case WaitCause::kNoCredit:
      return "a free executor";
    case WaitCause::kExecutorQueue:
      return "its turn in the executor";
    case WaitCause::kPlacementUnmatched:
      return "an executor that fits";
    case WaitCause::kPaused:
      return "somebody to resume it";
    case WaitCause::kDependency:
      return "tasks that it depends on";
    case WaitCause::kRecovering:
      return "the server to come back";
    case WaitCause::kOrderingKey:
      return "the task before it";
    case WaitCause::kConcurrencyKey:
      return "a slot of its key";
    case WaitCause::kRateKey:
      return "tokens of its key";
    case WaitCause::kFairnessTurn:
      return "its turn among keys";
  }
  return "";
}

std::string PlacementText(const PlacementPolicy& placement) {
  std::vector<std::string> parts;
  if (!placement.selector.empty()) parts.push_back(OneLine(placement.selector));
  if (!placement.executor.empty()) parts.push_back("executor " + OneLine(placement.executor));
  if (!placement.app.empty()) parts.push_back("app " + OneLine(placement.app));
  if (!placement.owner.empty()) parts.push_back("owner " + OneLine(placement.owner));
  return absl::StrJoin(parts, ", ");
}

std::string KeysText(const TaskKeys& keys) {
  std::vector<std::string> parts;
  const auto add = [&](const char* kind, const std::string& name, const std::string& more) {
    if (!name.empty()) parts.push_back(absl::StrCat(kind, " ", OneLine(name), more));
  };
  add("ordering", keys.ordering, "");
  add("fairness", keys.fairness, absl::StrCat(" (weight ", keys.weight, ")"));
  for (const TaskKeys::Concurrency& key : keys.concurrency) {
    add("concurrency", key.name, absl::StrCat(" (", key.limit, ")"));
  }
  for (const TaskKeys::Throttle& key : keys.rates) {
    add("rate", key.name, key.rate.has_value() ? absl::StrCat(" (", RateText(*key.rate), ")") : "");
  }
  return absl::StrJoin(parts, ", ");
}

std::string LabelsText(const std::map<std::string, std::string>& labels) {
  static constexpr std::array<std::string_view, 4> kShownElsewhere = {"app", "executor", "owner",
                                                                      "version"};
  std::string text;
  for (const auto& [name, value] : labels) {
    if (std::ranges::find(kShownElsewhere, name) != kShownElsewhere.end()) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ", OneLine(name), "=", OneLine(value));
  }
  return text.empty() ? "-" : text;
}

std::string EntriesText(const std::map<std::string, std::string>& entries) {
  std::string text;
  for (const auto& [name, value] : entries) {
    absl::StrAppend(&text, text.empty() ? "" : " ", OneLine(name), "=", OneLine(value));
  }
  return text;
}

std::string ErrorText(const TaskError& error) {
  if (error.message.empty()) return OneLine(error.reason);
  if (error.reason.empty()) return OneLine(error.message);
  return absl::StrCat(OneLine(error.reason), ": ", OneLine(error.message));
}

}  // namespace kantoku::cli
