#include "services/inputs/engine/history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs {

void History::Append(TaskKey task, uint64_t bytes) {
  open_.push_back(task);
  open_bytes_ += bytes;
  row_of_.Insert(task, next_number_);
}

std::optional<uint64_t> History::Close(absl::Time ended) {
  if (open_.empty()) return std::nullopt;
  bytes_ += open_bytes_;
  rows_.push_back({.number = next_number_++,
                   .ended = ended,
                   .tasks = std::exchange(open_, {}),
                   .bytes = std::exchange(open_bytes_, 0)});
  return rows_.back().number;
}

void History::Recover(Row row) {
  KANTOKU_CHECK(row.number >= next_number_);
  next_number_ = row.number + 1;
  bytes_ += row.bytes;
  for (const TaskKey task : row.tasks) row_of_.Insert(task, row.number);
  rows_.push_back(std::move(row));
}

void History::AddBytes(TaskKey task, uint64_t bytes) {
  const auto row = std::ranges::lower_bound(rows_, row_of_.Find(task), {}, &Row::number);
  row->bytes += bytes;
  bytes_ += bytes;
}

std::optional<uint64_t> History::Find(TaskKey task) const {
  const uint64_t row = row_of_.Find(task);
  return row == 0 ? std::nullopt : std::optional(row);
}

std::optional<History::Row> History::TakeExpired(absl::Time horizon, size_t most,
                                                 uint64_t most_bytes) {
  if (rows_.empty()) return std::nullopt;
  if (rows_.front().ended >= horizon && size() <= most && bytes_ <= most_bytes) {
    return std::nullopt;
  }
  Row row = std::move(rows_.front());
  rows_.pop_front();
  bytes_ -= row.bytes;
  for (const TaskKey task : row.tasks) row_of_.Erase(task);
  return row;
}

const History::Row* History::AtOrBelow(uint64_t number) const {
  const auto above = std::ranges::upper_bound(rows_, number, {}, &Row::number);
  return above == rows_.begin() ? nullptr : &*std::prev(above);
}

const History::Row* History::AtOrAbove(uint64_t number) const {
  const auto row = std::ranges::lower_bound(rows_, number, {}, &Row::number);
  return row == rows_.end() ? nullptr : &*row;
}

absl::Time History::oldest() const {
  return rows_.empty() ? absl::InfiniteFuture() : rows_.front().ended;
}

}  // namespace kantoku::inputs
