#include "services/inputs/engine/task_table.h"

#include "services/platform/check.h"

namespace kantoku::inputs {

TaskTable::Page* TaskTable::FindPage(TaskKey key) const {
  const TaskKey number = key >> kPageBits;
  if (number == last_number_) return last_page_;
  const auto found = pages_.find(number);
  if (found == pages_.end()) return nullptr;
  last_number_ = number;
  last_page_ = found->second.get();
  return last_page_;
}

TaskTable::Page& TaskTable::PageFor(TaskKey key) {
  if (Page* page = FindPage(key)) return *page;
  auto& page = pages_[key >> kPageBits];
  page = std::make_unique<Page>();
  page->tasks.fill(kNoTask);
  return *page;
}

TaskIndex TaskTable::Insert(const TaskId& id) {
  const TaskKey key = id.key();
  Page& page = PageFor(key);
  TaskIndex& slot = page.tasks[key & (kPageSize - 1)];
  KANTOKU_CHECK(slot == kNoTask);
  if (free_.empty()) {
    slot = static_cast<TaskIndex>(tasks_.size());
    tasks_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
    tasks_[slot] = Task();
  }
  tasks_[slot].id = id;
  ++page.living;
  ++size_;
  return slot;
}

void TaskTable::Erase(TaskIndex index) {
  const TaskKey key = tasks_[index].key();
  Page* page = FindPage(key);
  KANTOKU_CHECK(page != nullptr && page->tasks[key & (kPageSize - 1)] == index);
  page->tasks[key & (kPageSize - 1)] = kNoTask;
  tasks_[index].id = TaskId();
  free_.push_back(index);
  --size_;
  if (--page->living > 0) return;
  last_number_ = UINT64_MAX;
  last_page_ = nullptr;
  pages_.erase(key >> kPageBits);
}

TaskIndex TaskTable::FindKey(TaskKey key) const {
  const Page* page = FindPage(key);
  return page == nullptr ? kNoTask : page->tasks[key & (kPageSize - 1)];
}

TaskIndex TaskTable::Find(const TaskId& id) const {
  const TaskIndex index = FindKey(id.key());
  return index != kNoTask && tasks_[index].id == id ? index : kNoTask;
}

TaskIndex TaskTable::LowerBound(TaskKey key) const {
  size_t offset = key & (kPageSize - 1);
  for (auto page = pages_.lower_bound(key >> kPageBits); page != pages_.end(); ++page) {
    if (page->first != key >> kPageBits) offset = 0;
    for (; offset < kPageSize; ++offset) {
      if (page->second->tasks[offset] != kNoTask) return page->second->tasks[offset];
    }
    offset = 0;
  }
  return kNoTask;
}

}  // namespace kantoku::inputs
