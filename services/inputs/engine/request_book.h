#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_REQUEST_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_REQUEST_BOOK_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/effects.h"

namespace kantoku::inputs {

// Spawn calls that may be repeated, by request. Bounded by time and number, oldest out first; about
// 160 bytes a call and 56 for each exception in it.
//
// Thread-compatible.
class RequestBook {
 public:
  // nullptr when it is not remembered.
  const RequestRecord* Find(const Digest& request) const;

  // Returns the number under which the record is to be kept. Its age counts from `made`.
  uint64_t Add(RequestRecord record, absl::Time made);
  // Numbers ascend by one: records leave in the order in which they came.
  void Recover(uint64_t number, RequestRecord record);

  // Forgets the oldest, if it was made before `horizon` or more than `most` are remembered, and
  // returns its number.
  std::optional<uint64_t> ForgetExpired(absl::Time horizon, size_t most);
  // When the oldest was made; InfiniteFuture when there is none.
  absl::Time oldest() const;
  // Exceptions of all calls together.
  size_t repeats() const { return repeats_; }

 private:
  struct Entry {
    RequestRecord record;
    absl::Time made;
  };

  void Keep(uint64_t number, RequestRecord record, absl::Time made);

  std::deque<Entry> by_age_;  // Numbered without gaps up to next_number_.
  absl::flat_hash_map<Digest, uint64_t> numbers_;
  uint64_t next_number_ = 1;
  size_t repeats_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_REQUEST_BOOK_H_
