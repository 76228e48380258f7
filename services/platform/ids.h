#ifndef KANTOKU_SERVICES_PLATFORM_IDS_H_
#define KANTOKU_SERVICES_PLATFORM_IDS_H_

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// Sixteen bytes with a UUID's text form. Base of the id types, which do not mix.
class Uuid {
 public:
  static constexpr size_t kSize = 16;

  constexpr Uuid() = default;
  explicit constexpr Uuid(std::array<uint8_t, kSize> bytes) : bytes_(bytes) {}

  // INVALID_ARGUMENT unless `bytes` are exactly sixteen.
  static absl::StatusOr<Uuid> FromBytes(std::string_view bytes);
  // INVALID_ARGUMENT unless `text` is 36 characters in the form 8-4-4-4-12.
  static absl::StatusOr<Uuid> Parse(std::string_view text);

  std::string ToString() const;
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  bool empty() const { return *this == Uuid(); }

  // clang-tidy 14 takes the 0 that a comparison is compared with for a pointer.
  auto operator<=>(const Uuid&) const = default;  // NOLINT(modernize-use-nullptr)

  template <typename H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine_contiguous(std::move(h), id.bytes_.data(), id.bytes_.size());
  }

 protected:
  std::array<uint8_t, kSize> bytes_{};
};

// An executor session, named by the executor.
class SessionId : public Uuid {
 public:
  constexpr SessionId() = default;
  explicit constexpr SessionId(Uuid id) : Uuid(id) {}
};

// The slot of a namespace, in which its tasks are numbered: stable over builds and machines, as
// ids that are stored have it.
uint32_t SlotOfNamespace(std::string_view name_space, uint32_t slot_count);
// How many there are in a store that is made now.
inline constexpr uint32_t kSlotCount = 256;

// A task. A UUID of version 7: 48 bits of wall time in milliseconds, 12 bits of slot, and after the
// variant a 44-bit sequence of that slot and 18 random bits. The store finds a task by `key`, slot
// and sequence; whoever looks one up compares the whole id, so that ids cannot be guessed.
class TaskId : public Uuid {
 public:
  static constexpr int kSlotBits = 12;
  static constexpr int kSequenceBits = 44;
  static constexpr int kRandomBits = 18;
  // From this slot on, ids were made outside of Inputs, with sequences of their own: for a
  // namespace of slot s they have slot s + kOutside.
  static constexpr uint32_t kOutside = uint32_t{1} << (kSlotBits - 1);

  constexpr TaskId() = default;
  explicit constexpr TaskId(Uuid id) : Uuid(id) {}

  // `slot` < 2^12, `sequence` < 2^44; of `random` the low 18 bits are taken.
  static TaskId Make(absl::Time wall, uint32_t slot, uint64_t sequence, uint64_t random);

  // INVALID_ARGUMENT unless `bytes` are a UUID of version 7 with the standard variant.
  static absl::StatusOr<TaskId> FromBytes(std::string_view bytes);
  static absl::StatusOr<TaskId> Parse(std::string_view text);

  absl::Time time() const { return absl::FromUnixMillis(static_cast<int64_t>(Word(0) >> 16)); }
  uint32_t slot() const { return static_cast<uint32_t>(Word(0) % (1U << kSlotBits)); }
  bool made_outside() const { return slot() >= kOutside; }
  uint64_t sequence() const { return (Word(1) >> kRandomBits) % (uint64_t{1} << kSequenceBits); }
  // slot << 44 | sequence: below 2^56, in the order of spawning within a slot. Asked for some
  // thirty times in the life of a task.
  uint64_t key() const { return uint64_t{slot()} << kSequenceBits | sequence(); }

 private:
  // One half of the id as a number, its first byte the highest.
  uint64_t Word(size_t half) const {
    uint64_t value;
    std::memcpy(&value, bytes_.data() + 8 * half, 8);
    return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
  }
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDS_H_
