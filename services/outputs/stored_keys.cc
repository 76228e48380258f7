#include "services/outputs/stored_keys.h"

#include <algorithm>

#include "services/platform/ids.h"

namespace kantoku::outputs {
namespace {

uint32_t SlotOf(platform::RecordKey key) {
  return static_cast<uint32_t>(key >> platform::TaskId::kSequenceBits);
}

}  // namespace

void StoredKeys::Add(platform::RecordKey key) {
  if (key <= slots_.at(SlotOf(key))) return;
  const auto [block, added] = blocks_.try_emplace(key / kBlock);
  block->second.set(key % kBlock);
  if (!added) return;
  order_.push_back(key / kBlock);
  if (blocks_.size() > max_blocks_) DropOldest();
}

bool StoredKeys::MayHold(platform::RecordKey key) const {
  if (key <= slots_.at(SlotOf(key))) return true;
  const auto block = blocks_.find(key / kBlock);
  return block != blocks_.end() && block->second.test(key % kBlock);
}

// A block has keys of one slot. What is behind the last of them was never there.
void StoredKeys::DropOldest() {
  static_assert((platform::RecordKey{1} << platform::TaskId::kSequenceBits) % kBlock == 0);
  const auto block = blocks_.find(order_.front());
  order_.pop_front();
  size_t last = kBlock - 1;
  while (!block->second.test(last)) --last;
  const platform::RecordKey key = block->first * kBlock + last;
  blocks_.erase(block);
  platform::RecordKey& unknown = slots_.at(SlotOf(key));
  unknown = std::max(unknown, key);
}

}  // namespace kantoku::outputs
