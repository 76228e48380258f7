#include "services/events/position.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

// Base 32 with digits in the order of their codes; each field has whole characters of its own.
constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuv";
constexpr size_t kLogSize = 6;  // 30 bits: the low ones of the id.
constexpr size_t kRowSize = 10;
constexpr size_t kIndexSize = 5;
constexpr size_t kTextSize = kLogSize + kRowSize + kIndexSize;
constexpr uint32_t kLogMask = (uint32_t{1} << 30) - 1;

void WriteField(uint64_t value, char* out, size_t size) {
  for (size_t i = size; i-- > 0; value >>= 5) out[i] = kDigits[value & 31];
}

// Adds the field to `value`; false when a character is no digit.
bool ReadField(std::string_view text, uint64_t& value) {
  for (const char c : text) {
    const size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return false;
    value = value << 5 | digit;
  }
  return true;
}

absl::Status Invalid(std::string_view text) {
  constexpr size_t kShown = 64;
  return platform::Error(
      absl::StatusCode::kInvalidArgument, "INVALID_POSITION",
      absl::StrCat("after: `", absl::CEscape(platform::ToAbsl(text.substr(0, kShown))),
                   "` is not a position that this service gave out"));
}

}  // namespace

PositionWriter::PositionWriter(uint32_t log_id) : text_(kTextSize, '0') {
  WriteField(log_id & kLogMask, text_.data(), kLogSize);
}

std::string_view PositionWriter::Write(const Position& position) {
  KANTOKU_CHECK(position.row <= kMaxPositionRow && position.index <= kMaxPositionIndex);
  if (position.row != row_) WriteField(position.row, text_.data() + kLogSize, kRowSize);
  row_ = position.row;
  WriteField(position.index, text_.data() + kLogSize + kRowSize, kIndexSize);
  return text_;
}

absl::StatusOr<Position> ParsePosition(uint32_t log_id, std::string_view text) {
  if (text.size() != kTextSize) return Invalid(text);
  uint64_t log = 0;
  uint64_t row = 0;
  uint64_t index = 0;
  if (!ReadField(text.substr(0, kLogSize), log) ||
      !ReadField(text.substr(kLogSize, kRowSize), row) ||
      !ReadField(text.substr(kLogSize + kRowSize), index) || row == 0) {
    return Invalid(text);
  }
  if (log != (log_id & kLogMask)) {
    return platform::Error(
        absl::StatusCode::kOutOfRange, "UNKNOWN_POSITION",
        absl::StrCat("after: `", platform::ToAbsl(text),
                     "` is a position of another log, perhaps of one that stood here before"));
  }
  return Position{.row = row, .index = static_cast<uint32_t>(index)};
}

}  // namespace kantoku::events
