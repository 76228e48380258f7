#ifndef KANTOKU_SERVICES_PLATFORM_BYTE_IO_H_
#define KANTOKU_SERVICES_PLATFORM_BYTE_IO_H_

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/time/time.h"
#include "services/platform/ids.h"

namespace kantoku::platform {

// Bytes that a varint of `value` takes.
constexpr uint32_t VarintSize(uint64_t value) {
  uint32_t size = 1;
  for (; value >= 0x80; value >>= 7) ++size;
  return size;
}

// Appends the fields of a record to bytes. Unsigned integers are base-128 varints, least
// significant group first; signed ones are zigzag varints; texts are a varint of length, then
// bytes; ids are their sixteen bytes; times are signed milliseconds since 1970.
//
// Thread-compatible.
class ByteWriter {
 public:
  // Appends to `bytes`, which outlives it.
  explicit ByteWriter(std::string& bytes) : bytes_(bytes) {}

  void Unsigned(uint64_t value) {
    if (value < 0x80) return bytes_.push_back(static_cast<char>(value));
    char varint[kMaxVarint];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) varint[size++] = static_cast<char>(value | 0x80);
    varint[size++] = static_cast<char>(value);
    bytes_.append(varint, size);
  }
  void Signed(int64_t value) {
    Unsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void Text(std::string_view text) {
    Unsigned(text.size());
    bytes_.append(text);
  }
  void Id(const Uuid& id) { bytes_.append(id.bytes()); }
  void Fixed64(uint64_t value) {
    char bytes[sizeof(value)];
    for (size_t i = 0; i < sizeof(value); ++i) bytes[i] = static_cast<char>(value >> (8 * i));
    bytes_.append(bytes, sizeof(bytes));
  }
  void Float(float value) { Unsigned(std::bit_cast<uint32_t>(value)); }
  void Time(absl::Time time) { Signed(absl::ToUnixMillis(time)); }

 private:
  static constexpr size_t kMaxVarint = 10;

  std::string& bytes_;
};

// Reads what ByteWriter wrote. Once something is missing or malformed everything read is zero or
// empty, and Complete() is false: check once, at the end.
//
// Thread-compatible. The bytes outlive it and the texts it returns.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::string_view byte = Take(1);
      if (byte.empty()) return 0;
      const auto bits = static_cast<uint8_t>(byte[0]);
      value |= uint64_t{bits & 0x7FU} << shift;
      if (bits < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  // Fails when the value does not fit.
  template <typename T>
  T Small() {
    const uint64_t value = Unsigned();
    good_ = good_ && value == static_cast<uint64_t>(static_cast<T>(value));
    return good_ ? static_cast<T>(value) : T{};
  }
  int64_t Signed() {
    const uint64_t value = Unsigned();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view Text() { return Take(Unsigned()); }
  Uuid Id() { return Uuid::FromBytes(Take(Uuid::kSize)).value_or(Uuid()); }
  uint64_t Fixed64() {
    uint64_t value = 0;
    int shift = 0;
    for (const char byte : Take(8)) {
      value |= uint64_t{static_cast<uint8_t>(byte)} << shift;
      shift += 8;
    }
    return value;
  }
  float Float() { return std::bit_cast<float>(Small<uint32_t>()); }
  absl::Time Time() { return absl::FromUnixMillis(Signed()); }

  // Says that what was read makes no sense.
  void Fail() { good_ = false; }

  // Whether everything was well-formed so far.
  bool good() const { return good_; }
  // ... and nothing is left.
  bool Complete() const { return good_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view Take(uint64_t size) {
    good_ = good_ && size <= rest_.size();
    if (!good_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool good_ = true;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_BYTE_IO_H_
