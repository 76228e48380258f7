#include "services/inputs/engine/ready_queue.h"

#include <optional>
#include <utility>

#include "services/platform/planted.h"

namespace kantoku::inputs {

ReadyQueue::Entry ReadyQueue::Level::Take() {
  const bool from_fresh =
      returned.empty() || (!fresh.empty() && fresh.front().key < returned.top().key);
  Entry entry = from_fresh ? fresh.front() : returned.top();
  if (from_fresh) {
    fresh.pop_front();
  } else {
    returned.pop();
  }
  return entry;
}

void ReadyQueue::Push(TaskIndex task, TaskKey key, int16_t priority) {
  Level& level = levels_[KANTOKU_PLANTED("priority ignored") ? int16_t{0} : priority];
  if (level.fresh.empty() || level.fresh.back().key < key) {
    level.fresh.push_back({key, task});
  } else {
    level.returned.push({key, task});
  }
  ++size_;
}

TaskIndex ReadyQueue::Pop(IsWaiting is_waiting) {
  while (!levels_.empty()) {
    auto level = levels_.begin();
    if (level->second.empty()) {
      levels_.erase(level);
      continue;
    }
    const Entry entry = level->second.Take();
    if (level->second.empty() && levels_.size() > 1) levels_.erase(level);
    if (is_waiting(entry.task, entry.key)) {
      --size_;
      return entry.task;
    }
    --stale_;
  }
  return kNoTask;
}

void ReadyQueue::NoteGone(IsWaiting is_waiting) {
  --size_;
  ++stale_;
  if (stale_ > size_ + 64) Compact(is_waiting);
}

void ReadyQueue::Compact(IsWaiting is_waiting) {
  auto old = std::exchange(levels_, {});
  size_ = 0;
  stale_ = 0;
  for (auto& [priority, level] : old) {
    std::optional<TaskKey> previous;  // A task that left and came back has an entry for each time.
    while (!level.empty()) {
      const Entry entry = level.Take();
      if (entry.key == previous || !is_waiting(entry.task, entry.key)) continue;
      previous = entry.key;
      Push(entry.task, entry.key, priority);
    }
  }
}

}  // namespace kantoku::inputs
