#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_KEY_SPANS_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_KEY_SPANS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "services/platform/store/write_batch.h"

namespace kantoku::platform {

// Between which keys there may be records of a kind: below `low` and above `high` there are none.
struct KeySpan {
  RecordKey low = kMaxRecordKey;
  RecordKey high = 0;

  bool Contains(RecordKey key) const { return low <= key && key <= high; }
  bool empty() const { return low > high; }
};
using KeySpans = std::array<KeySpan, 256>;

// The spans of some kinds as bytes, ...
std::string EncodeSpans(const KeySpans& spans, std::span<const RecordKind> kinds);
// ... and back. Of kinds that the bytes do not tell of, anything may be anywhere.
KeySpans DecodeSpans(std::string_view bytes);

// Below which key there are no records of a kind, as whoever commits tells whoever reads.
//
// Thread-safe.
class FirstKeys {
 public:
  // Before a batch may be seen that puts a record below, and when it is durable that there is none.
  void Set(RecordKind kind, RecordKey key) {
    if (keys_[kind].exchange(key) > key) ++times_lowered_;
  }
  RecordKey Of(RecordKind kind) const { return keys_[kind]; }

  // Unless it has grown meanwhile, a key that was read after it holds for whatever has been seen.
  uint64_t times_lowered() const { return times_lowered_; }

 private:
  std::array<std::atomic<RecordKey>, 256> keys_ = {};
  std::atomic<uint64_t> times_lowered_ = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_KEY_SPANS_H_
