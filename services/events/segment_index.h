#ifndef KANTOKU_SERVICES_EVENTS_SEGMENT_INDEX_H_
#define KANTOKU_SERVICES_EVENTS_SEGMENT_INDEX_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "services/events/log.h"
#include "services/events/log_records.h"

namespace kantoku::events {

// Which rows are kept and which must leave. Rows are gathered in segments of a few megabytes, a few
// thousand rows or a small part of the retention's age, whichever is less, so that 10 GiB of small
// rows need a few megabytes of memory and one erased range frees many of them.
//
// Thread-compatible.
class SegmentIndex {
 public:
  explicit SegmentIndex(const Retention& retention);

  // Adds a closed segment that was stored earlier; oldest first, before any Add.
  void Restore(const Segment& closed);

  // Counts a row. Returns the segment that this row closed by not fitting in: its last row is the
  // one before.
  std::optional<Segment> Add(RowNumber row, uint64_t bytes, absl::Time time);

  // Removes and returns the oldest segment that must leave at `now`, if there is one.
  std::optional<Segment> TakeExpired(absl::Time now);

  // When TakeExpired will next return one, if nothing is added; InfiniteFuture when the log is
  // empty, InfinitePast when it is due already.
  absl::Time NextExpiry() const;

  uint64_t bytes() const { return bytes_; }

 private:
  bool OverSize() const { return bytes_ > retention_.max_bytes && segments_.size() > 1; }

  const Retention retention_;
  const uint64_t max_segment_bytes_;
  const absl::Duration max_segment_age_;

  std::deque<Segment> segments_;  // Oldest first; the last one is open if `open_` says so.
  bool open_ = false;
  uint64_t open_rows_ = 0;
  absl::Time open_since_;
  uint64_t bytes_ = 0;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_SEGMENT_INDEX_H_
