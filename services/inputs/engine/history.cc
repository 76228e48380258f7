#include "services/inputs/engine/history.h"

#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs {

void History::Append(TaskKey task) {
  open_.push_back(task);
  row_of_.Insert(task, next_number_);
}

std::optional<uint64_t> History::Close(absl::Time ended) {
  if (open_.empty()) return std::nullopt;
  rows_.push_back({.number = next_number_++, .ended = ended, .tasks = std::exchange(open_, {})});
  return rows_.back().number;
}

void History::Recover(Row row) {
  KANTOKU_CHECK(row.number >= next_number_);
  next_number_ = row.number + 1;
  for (const TaskKey task : row.tasks) row_of_.Insert(task, row.number);
  rows_.push_back(std::move(row));
}

std::optional<uint64_t> History::Find(TaskKey task) const {
  const uint64_t row = row_of_.Find(task);
  return row == 0 ? std::nullopt : std::optional(row);
}

std::optional<History::Row> History::TakeExpired(absl::Time horizon, size_t most) {
  if (rows_.empty() || (rows_.front().ended >= horizon && size() <= most)) return std::nullopt;
  Row row = std::move(rows_.front());
  rows_.pop_front();
  for (const TaskKey task : row.tasks) row_of_.Erase(task);
  return row;
}

absl::Time History::oldest() const {
  return rows_.empty() ? absl::InfiniteFuture() : rows_.front().ended;
}

}  // namespace kantoku::inputs
