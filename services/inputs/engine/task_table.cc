#include "services/inputs/engine/task_table.h"

#include "services/platform/check.h"

namespace kantoku::inputs {

TaskIndex TaskTable::Insert(const TaskId& id, TaskKey order) {
  KANTOKU_CHECK(index_.Find(id.key()) == kNoTask);
  TaskIndex index = static_cast<TaskIndex>(tasks_.size());
  if (free_.empty()) {
    tasks_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
    tasks_[index] = Task();
  }
  tasks_[index].id = id;
  if (order != 0) {
    tasks_[index].has_order = true;
    orders_[id.key()] = order;
  }
  index_.Insert(id.key(), index);
  return index;
}

void TaskTable::Erase(TaskIndex index) {
  const TaskKey key = tasks_[index].key();
  KANTOKU_CHECK(index_.Find(key) == index);
  index_.Erase(key);
  if (tasks_[index].has_order) orders_.erase(key);
  tasks_[index].id = TaskId();
  free_.push_back(index);
}

TaskIndex TaskTable::Find(const TaskId& id) const {
  const TaskIndex index = index_.Find(id.key());
  return index != kNoTask && tasks_[index].id == id ? index : kNoTask;
}

}  // namespace kantoku::inputs
