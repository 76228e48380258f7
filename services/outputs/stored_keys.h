#ifndef KANTOKU_SERVICES_OUTPUTS_STORED_KEYS_H_
#define KANTOKU_SERVICES_OUTPUTS_STORED_KEYS_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "services/platform/store/record_store.h"

namespace kantoku::outputs {

// Of which tasks the store may hold an end. Tasks end in any order, and most of those that are put
// or asked about have none yet: they are to cost no read.
//
// A bit for each task that is newer than all that had an end when its slot was first looked at, in
// blocks of neighbours. Of older ones, and of those up to the last of a block that was dropped,
// each may have an end.
//
// Thread-compatible.
class StoredKeys {
 public:
  // About 1 KiB a block, of 4,096 neighbours each.
  explicit StoredKeys(size_t max_blocks = 8'192) : max_blocks_(max_blocks) {}

  // Whether Begin was called for the slot: before Add, and before MayHold tells anything.
  bool Knows(uint32_t slot) const { return slots_.contains(slot); }
  // What the store holds of the slot has keys of at most `highest`; 0 when it holds nothing.
  void Begin(uint32_t slot, platform::RecordKey highest) { slots_[slot] = highest; }

  // The store is about to hold it.
  void Add(platform::RecordKey key);
  bool MayHold(platform::RecordKey key) const;

 private:
  static constexpr size_t kBlock = 4'096;
  using BlockNumber = uint64_t;

  void DropOldest();

  const size_t max_blocks_;
  absl::flat_hash_map<uint32_t, platform::RecordKey> slots_;  // The highest of unknown keys.
  absl::flat_hash_map<BlockNumber, std::bitset<kBlock>> blocks_;
  std::deque<BlockNumber> order_;  // In which they were made.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_STORED_KEYS_H_
