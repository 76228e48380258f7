#include "services/events/segment_index.h"

#include <algorithm>

namespace kantoku::events {
namespace {

constexpr uint64_t kMaxSegmentRows = 4096;
constexpr uint64_t kMaxSegmentBytes = uint64_t{4} << 20;
// A segment is at most this part of what is kept, so that little more is kept than was asked for.
constexpr int kSegmentsPerRetention = 64;
// What a row costs a store beside its value.
constexpr uint64_t kRowOverhead = 32;

}  // namespace

SegmentIndex::SegmentIndex(const Retention& retention)
    : retention_(retention),
      max_segment_bytes_(std::min(kMaxSegmentBytes, retention.max_bytes / kSegmentsPerRetention)),
      max_segment_age_(retention.age / kSegmentsPerRetention) {}

void SegmentIndex::Restore(const Segment& closed) {
  segments_.push_back(closed);
  bytes_ += closed.bytes;
}

std::optional<Segment> SegmentIndex::Add(RowNumber row, uint64_t bytes, absl::Time time) {
  bytes += kRowOverhead;
  bytes_ += bytes;
  std::optional<Segment> closed;
  if (open_ && (open_rows_ == kMaxSegmentRows || segments_.back().bytes >= max_segment_bytes_ ||
                time - open_since_ >= max_segment_age_)) {
    closed = segments_.back();
    open_ = false;
  }
  if (!open_) {
    open_ = true;
    open_rows_ = 0;
    open_since_ = time;
    segments_.push_back({.first = row});
  }
  Segment& segment = segments_.back();
  segment.last = row;
  segment.bytes += bytes;
  segment.newest = std::max(segment.newest, time);
  ++open_rows_;
  return closed;
}

std::optional<Segment> SegmentIndex::TakeExpired(absl::Time now) {
  if (segments_.empty()) return std::nullopt;
  if (!OverSize() && segments_.front().newest + retention_.age > now) return std::nullopt;
  const Segment expired = segments_.front();
  segments_.pop_front();
  bytes_ -= expired.bytes;
  if (segments_.empty()) open_ = false;
  return expired;
}

absl::Time SegmentIndex::NextExpiry() const {
  if (segments_.empty()) return absl::InfiniteFuture();
  if (OverSize()) return absl::InfinitePast();
  return segments_.front().newest + retention_.age;
}

}  // namespace kantoku::events
