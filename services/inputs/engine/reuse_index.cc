#include "services/inputs/engine/reuse_index.h"

namespace kantoku::inputs {

std::optional<TaskKey> ReuseIndex::Add(const ReuseRecord& record) {
  std::optional<TaskKey> replaced;
  if (const ReuseRecord* const known = Find(record.equal)) {
    replaced = known->task.key();
    Drop(record.equal);
  }
  records_[record.equal] = record;
  ends_.emplace(record.held_until, record.equal);
  return replaced;
}

const ReuseRecord* ReuseIndex::Find(const Digest& equal) const {
  const auto found = records_.find(equal);
  return found == records_.end() ? nullptr : &found->second;
}

std::optional<TaskKey> ReuseIndex::TakeExpired(absl::Time now) {
  if (ends_.empty() || (ends_.begin()->first > now && records_.size() <= most_)) {
    return std::nullopt;
  }
  const Digest equal = ends_.begin()->second;
  const TaskKey task = records_.at(equal).task.key();
  Drop(equal);
  return task;
}

absl::Time ReuseIndex::next_time() const {
  if (ends_.empty()) return absl::InfiniteFuture();
  return records_.size() > most_ ? absl::InfinitePast() : ends_.begin()->first;
}

void ReuseIndex::Drop(const Digest& equal) {
  const auto found = records_.find(equal);
  ends_.erase({found->second.held_until, equal});
  records_.erase(found);
}

}  // namespace kantoku::inputs
