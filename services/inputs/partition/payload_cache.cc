#include "services/inputs/partition/payload_cache.h"

#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs {
namespace {

constexpr uint32_t kTaken = UINT32_MAX;

}  // namespace

void PayloadCache::Add(TaskKey first, std::shared_ptr<const SpecBytes> batch,
                       std::vector<uint32_t> created) {
  if (created.empty()) return;
  const size_t left = created.size();
  const auto [entry, added] =
      entries_.try_emplace(first, Entry{std::move(batch), std::move(created), left});
  KANTOKU_CHECK(added);  // Keys are used once.
  bytes_ += SizeOf(entry->second);
}

std::optional<PayloadCache::Payload> PayloadCache::Take(TaskKey task) {
  auto entry = entries_.upper_bound(task);
  if (entry == entries_.begin()) return std::nullopt;
  --entry;
  const TaskKey offset = task - entry->first;
  if (offset >= entry->second.created.size()) return std::nullopt;
  const uint32_t index = std::exchange(entry->second.created[offset], kTaken);
  if (index == kTaken) return std::nullopt;
  const auto& batch = entry->second.batch;
  const SpecBytes::Slice& slice = batch->slices[index];
  Payload payload{batch, batch->Part(slice.content_type, slice.content_type_size),
                  batch->Part(slice.payload, slice.payload_size)};
  if (--entry->second.left == 0) Erase(entry);
  return payload;
}

void PayloadCache::Drop(TaskKey first) {
  const auto entry = entries_.find(first);
  if (entry != entries_.end()) Erase(entry);
}

size_t PayloadCache::SizeOf(const Entry& entry) {
  return sizeof(Entry) + entry.batch->size() + entry.created.capacity() * sizeof(uint32_t);
}

void PayloadCache::Erase(Entries::iterator entry) {
  bytes_ -= SizeOf(entry->second);
  entries_.erase(entry);
}

}  // namespace kantoku::inputs
