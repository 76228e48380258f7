#include "services/events/log_view.h"

#include <algorithm>

#include "services/platform/check.h"

namespace kantoku::events {

LogBounds LogView::bounds() const {
  platform::MutexLock lock(mu_);
  return bounds_;
}

void LogView::Publish(std::vector<LogRowPtr> rows) {
  if (rows.empty()) return;
  std::vector<Waiter> due;
  {
    platform::MutexLock lock(mu_);
    KANTOKU_CHECK(rows.front()->row >= bounds_.end);
    const RowNumber end = rows.back()->row + 1;
    bounds_.end = end;
    Keep(std::move(rows));
    const auto first_due =
        std::partition(waiters_.begin(), waiters_.end(),
                       [end](const Waiter& waiter) { return waiter.end >= end; });
    due.assign(std::make_move_iterator(first_due), std::make_move_iterator(waiters_.end()));
    waiters_.erase(first_due, waiters_.end());
  }
  for (Waiter& waiter : due) waiter.grown();
}

void LogView::Warm(std::vector<LogRowPtr> rows) {
  platform::MutexLock lock(mu_);
  if (newest_.empty()) Keep(std::move(rows));
}

void LogView::Keep(std::vector<LogRowPtr> rows) {
  for (LogRowPtr& row : rows) {
    bytes_ += row->batch.size();
    newest_.push_back(std::move(row));
  }
  while (newest_.size() > limits_.max_rows || (bytes_ > limits_.max_bytes && newest_.size() > 1)) {
    bytes_ -= newest_.front()->batch.size();
    newest_.pop_front();
  }
}

void LogView::DropBefore(RowNumber first) {
  platform::MutexLock lock(mu_);
  bounds_.first = std::max(bounds_.first, first);
  while (!newest_.empty() && newest_.front()->row < first) {
    bytes_ -= newest_.front()->batch.size();
    newest_.pop_front();
  }
}

bool LogView::ReadNewest(const LogRange& range, LogPage& page) const {
  platform::MutexLock lock(mu_);
  if (range.from >= bounds_.end) {
    page.next = bounds_.end;
    return true;
  }
  if (newest_.empty() || newest_.front()->row > range.from) return false;
  auto row = std::lower_bound(
      newest_.begin(), newest_.end(), range.from,
      [](const LogRowPtr& candidate, RowNumber from) { return candidate->row < from; });
  size_t bytes = 0;
  while (row != newest_.end() && page.rows.size() < range.max_rows && bytes < range.max_bytes) {
    bytes += (*row)->batch.size();
    page.rows.push_back(*row++);
  }
  page.next = page.rows.empty() ? range.from : page.rows.back()->row + 1;
  return true;
}

void LogView::NotifyBeyond(RowNumber end, absl::AnyInvocable<void()> grown) {
  {
    platform::MutexLock lock(mu_);
    if (closed_) return;
    if (bounds_.end <= end) {
      waiters_.push_back({end, std::move(grown)});
      return;
    }
  }
  grown();
}

void LogView::Close() {
  std::vector<Waiter> dropped;
  platform::MutexLock lock(mu_);
  closed_ = true;
  dropped.swap(waiters_);
}

}  // namespace kantoku::events
