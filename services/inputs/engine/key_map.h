#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_KEY_MAP_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_KEY_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/btree_map.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Values by task key, in the order of the keys; kNone stands for no value. Keys of a slot are
// handed out in sequence, so it is pages of 2^kPageBits neighbours rather than a hash: what was
// spawned together is found together, and a walk in order costs nothing extra. Large pages suit
// dense keys, small ones sparse keys.
//
// Thread-compatible.
template <typename Value, Value kNone, int kPageBits>
class KeyMap {
 public:
  // kNone when there is none.
  Value Find(TaskKey key) const {
    const Page* const page = FindPage(key >> kPageBits);
    return page == nullptr ? kNone : page->values[key % kPageSize];
  }
  // There must be none under `key`.
  void Insert(TaskKey key, Value value) {
    Page* page = FindPage(key >> kPageBits);
    if (page == nullptr) {
      auto& added = pages_[key >> kPageBits];
      added = std::make_unique<Page>();
      page = added.get();
      page->values.fill(kNone);
    }
    page->values[key % kPageSize] = value;
    ++page->size;
    ++size_;
  }
  // There must be one under `key`.
  void Erase(TaskKey key) {
    Page* const page = FindPage(key >> kPageBits);
    page->values[key % kPageSize] = kNone;
    --size_;
    if (--page->size > 0) return;
    last_number_ = UINT64_MAX;
    pages_.erase(key >> kPageBits);
  }
  // Of the first key that is at least `key`; kNone when there is none.
  Value LowerBound(TaskKey key) const {
    size_t at = key % kPageSize;
    auto page = pages_.lower_bound(key >> kPageBits);
    if (page != pages_.end() && page->first != key >> kPageBits) at = 0;
    for (; page != pages_.end(); ++page, at = 0) {
      for (; at < kPageSize; ++at) {
        if (page->second->values[at] != kNone) return page->second->values[at];
      }
    }
    return kNone;
  }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kPageSize = size_t{1} << kPageBits;
  struct Page {
    std::array<Value, kPageSize> values;
    uint32_t size = 0;
  };

  Page* FindPage(uint64_t number) const {
    if (number == last_number_) return last_page_;
    const auto found = pages_.find(number);
    if (found == pages_.end()) return nullptr;
    last_number_ = number;
    last_page_ = found->second.get();
    return last_page_;
  }

  absl::btree_map<uint64_t, std::unique_ptr<Page>> pages_;  // By key >> kPageBits.
  mutable uint64_t last_number_ = UINT64_MAX;  // The page used last: most calls hit it.
  mutable Page* last_page_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_KEY_MAP_H_
