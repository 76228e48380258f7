#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "services/inputs/engine/task_table.h"

namespace kantoku::inputs {

// Ready tasks of one lane: higher priority first, then spawn order. Fresh tasks come in spawn order
// and cost O(1); those that come back (delay, backoff, redelivery) go through a heap. A task that
// leaves early is only counted; its entry is dropped when it surfaces, or when such entries are the
// majority.
//
// Thread-compatible.
class ReadyQueue {
 public:
  // Whether an entry still stands for a waiting task of this queue.
  using IsWaiting = absl::FunctionRef<bool(TaskIndex, TaskKey)>;

  void Push(TaskIndex task, TaskKey key, int16_t priority);
  // The next task, or kNoTask.
  TaskIndex Pop(IsWaiting is_waiting);
  // A task left without Pop.
  void NoteGone(IsWaiting is_waiting);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Entry {
    TaskKey key;
    TaskIndex task;
    bool operator>(const Entry& other) const { return key > other.key; }
  };
  struct Level {
    std::deque<Entry> fresh;  // Ascending keys.
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> returned;
    bool empty() const { return fresh.empty() && returned.empty(); }
    Entry Take();
  };

  void Compact(IsWaiting is_waiting);

  absl::btree_map<int16_t, Level, std::greater<>>
      levels_;        // At most one is empty: it is likely to be used again.
  size_t size_ = 0;   // Waiting tasks.
  size_t stale_ = 0;  // Entries of tasks that left.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_
