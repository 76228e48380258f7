#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_INDEXED_HEAP_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_INDEXED_HEAP_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace kantoku::inputs {

// Binary heap of (time, item) with the earliest on top, from which any item can be removed: `Place`
// is told where each item lies, so that an entry costs 8 bytes and the item and a removal O(log n).
// Ties go by item, so that runs repeat exactly. Times may be any numbers that ascend.
//
// Place(item) returns a reference to the item's uint32_t: position + 1, or 0 when it is in no heap.
//
// Thread-compatible.
template <typename Place, typename Item = uint32_t>
class IndexedHeap {
 public:
  explicit IndexedHeap(Place place) : place_(std::move(place)) {}

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  int64_t top_time() const { return entries_.front().time; }
  const Item& top() const { return entries_.front().item; }
  // Of an item that is in it.
  int64_t TimeOf(const Item& item) const { return entries_[place_(item) - 1].time; }

  // `item` must be in no heap.
  void Push(int64_t time, const Item& item) {
    entries_.push_back({time, item});
    SiftUp(entries_.size() - 1);
  }
  void Remove(Item item) {
    const size_t hole = place_(item) - 1;
    place_(item) = 0;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    entries_[hole] = last;
    SiftUp(hole);
    SiftDown(place_(last.item) - 1);
  }

  // Calls `visit(item)` with each, in no order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Entry& entry : entries_) visit(entry.item);
  }

 private:
  struct Entry {
    int64_t time;
    Item item;
    bool operator<(const Entry& other) const {
      return time != other.time ? time < other.time : item < other.item;
    }
  };

  void Set(size_t at, const Entry& entry) {
    entries_[at] = entry;
    place_(entry.item) = static_cast<uint32_t>(at + 1);
  }
  void SiftUp(size_t at) {
    const Entry entry = entries_[at];
    for (; at > 0 && entry < entries_[(at - 1) / 2]; at = (at - 1) / 2) {
      Set(at, entries_[(at - 1) / 2]);
    }
    Set(at, entry);
  }
  void SiftDown(size_t at) {
    const Entry entry = entries_[at];
    for (size_t child = 2 * at + 1; child < entries_.size(); child = 2 * at + 1) {
      if (child + 1 < entries_.size() && entries_[child + 1] < entries_[child]) ++child;
      if (!(entries_[child] < entry)) break;
      Set(at, entries_[child]);
      at = child;
    }
    Set(at, entry);
  }

  Place place_;
  std::vector<Entry> entries_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_INDEXED_HEAP_H_
