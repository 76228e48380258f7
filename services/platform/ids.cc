#include "services/platform/ids.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kTextSize = 36;
constexpr int kVersion = 7;
constexpr uint64_t kVariant = 0b10;

constexpr uint64_t LowBits(int count) { return (uint64_t{1} << count) - 1; }

bool IsDashAt(size_t position) {
  return position == 8 || position == 13 || position == 18 || position == 23;
}

// -1 for what is no hexadecimal digit.
int HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

void StoreBigEndian(uint64_t value, uint8_t* bytes) {
  for (int i = 7; i >= 0; --i, value >>= 8) bytes[i] = static_cast<uint8_t>(value);
}

absl::Status NoUuid(std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_ID", why);
}

absl::StatusOr<TaskId> CheckTaskId(absl::StatusOr<Uuid> id) {
  if (!id.ok()) return id.status();
  const auto bytes = id->bytes();
  if (static_cast<uint8_t>(bytes[6]) >> 4 != kVersion ||
      static_cast<uint8_t>(bytes[8]) >> 6 != kVariant) {
    return NoUuid(absl::StrCat("task id ", id->ToString(), " is no UUID of version 7"));
  }
  return TaskId(*id);
}

}  // namespace

// FNV-1a.
uint32_t SlotOfNamespace(std::string_view name_space, uint32_t slot_count) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name_space) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return static_cast<uint32_t>(hash % slot_count);
}

absl::StatusOr<Uuid> Uuid::FromBytes(std::string_view bytes) {
  if (bytes.size() != kSize) {
    return NoUuid(absl::StrCat("id has ", bytes.size(), " bytes instead of ", kSize));
  }
  Uuid id;
  std::memcpy(id.bytes_.data(), bytes.data(), kSize);
  return id;
}

absl::StatusOr<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != kTextSize) {
    return NoUuid(absl::StrCat("id has ", text.size(), " characters instead of ", kTextSize));
  }
  Uuid id;
  size_t digits = 0;
  for (size_t i = 0; i < kTextSize; ++i) {
    if (IsDashAt(i)) {
      if (text[i] != '-') return NoUuid("id does not have the form 8-4-4-4-12");
      continue;
    }
    const int value = HexValue(text[i]);
    if (value < 0) return NoUuid("id holds what is no hexadecimal digit");
    uint8_t& byte = id.bytes_[digits++ / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
  }
  return id;
}

std::string Uuid::ToString() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(kTextSize, '-');
  size_t position = 0;
  for (const uint8_t byte : bytes_) {
    if (IsDashAt(position)) ++position;
    text[position++] = kDigits[byte >> 4];
    text[position++] = kDigits[byte & 0xf];
  }
  return text;
}

TaskId TaskId::Make(absl::Time wall, uint32_t slot, uint64_t sequence, uint64_t random) {
  KANTOKU_CHECK(slot <= LowBits(kSlotBits));
  KANTOKU_CHECK(sequence <= LowBits(kSequenceBits));
  const auto milliseconds =
      static_cast<uint64_t>(std::max<int64_t>(0, absl::ToUnixMillis(wall))) & LowBits(48);
  TaskId id;
  StoreBigEndian(milliseconds << 16 | uint64_t{kVersion} << 12 | slot, id.bytes_.data());
  StoreBigEndian(kVariant << 62 | sequence << kRandomBits | (random & LowBits(kRandomBits)),
                 id.bytes_.data() + 8);
  return id;
}

absl::StatusOr<TaskId> TaskId::FromBytes(std::string_view bytes) {
  return CheckTaskId(Uuid::FromBytes(bytes));
}

absl::StatusOr<TaskId> TaskId::Parse(std::string_view text) {
  return CheckTaskId(Uuid::Parse(text));
}

}  // namespace kantoku::platform
