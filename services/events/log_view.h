#ifndef KANTOKU_SERVICES_EVENTS_LOG_VIEW_H_
#define KANTOKU_SERVICES_EVENTS_LOG_VIEW_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "services/events/log.h"
#include "services/platform/mutex.h"

namespace kantoku::events {

// What readers may see of a log: its durable bounds and, so that live readers do not touch the
// store, its newest rows.
//
// Thread-safe. Holds at most Limits of rows in memory. Callbacks run without a lock held, on the
// thread that publishes or on the one that waits.
class LogView {
 public:
  struct Limits {
    size_t max_rows = 1000;
    size_t max_bytes = size_t{64} << 20;
  };

  LogView(LogBounds bounds, Limits limits) : limits_(limits), bounds_(bounds) {}

  LogBounds bounds() const;

  // `rows` are durable and follow the end. May be empty.
  void Publish(std::vector<LogRowPtr> rows);

  // Keeps rows in memory that are durable and below the end already: the newest, without a hole.
  void Warm(std::vector<LogRowPtr> rows);

  // Rows below `first` have left.
  void DropBefore(RowNumber first);

  // Fills `page` when its first row is in memory, or `range.from` is at the end.
  bool ReadNewest(const LogRange& range, LogPage& page) const;

  // As EventLog::NotifyBeyond.
  void NotifyBeyond(RowNumber end, absl::AnyInvocable<void()> grown);

  // Drops whoever waits, and from now on everyone who wants to.
  void Close();

 private:
  struct Waiter {
    RowNumber end;
    absl::AnyInvocable<void()> grown;
  };

  void Keep(std::vector<LogRowPtr> rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;

  mutable platform::Mutex mu_;
  LogBounds bounds_ ABSL_GUARDED_BY(mu_);
  std::deque<LogRowPtr> newest_ ABSL_GUARDED_BY(mu_);  // Without holes, up to the end.
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_LOG_VIEW_H_
