#include "services/events/log_machine.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

// Sources are partitions of services, of which there are few. The bound is for names that are made
// up anew, as a service without a durable store does.
constexpr size_t kMaxSources = 4096;
// Segments that one group may free, so that appends never wait long behind retention.
constexpr int kMaxSegmentsPerGroup = 4;

}  // namespace

LogMachine::LogMachine(const Retention& retention, const RecoveredLog& recovered, platform::Now now,
                       LogView& view)
    : retention_(retention),
      id_(recovered.head.id),
      view_(view),
      end_(recovered.end),
      segments_(retention),
      last_seen_(now) {
  for (const Segment& segment : recovered.segments) segments_.Restore(segment);
  for (const LogRowPtr& row : recovered.rows) {
    // Retention may have become shorter since, and a segment with it.
    auto closed = segments_.Add(row->row, row->batch.size(), row->time);
    if (closed) unstored_.push_back(*closed);
  }
  for (const auto& [key, mark] : recovered.marks) {
    sources_[mark.source] = {.key = key, .number = mark.number, .time = mark.time};
    next_source_ = std::max(next_source_, key + 1);
  }
}

void LogMachine::Append(platform::Transaction& transaction, AppendCommand command,
                        EventLog::AppendDone done) {
  const absl::Time now = transaction.now().wall;
  absl::StatusOr<Source*> source = FindSource(transaction, command.source);
  if (!source.ok()) return done(source.status());

  std::vector<LogRowPtr> rows;
  uint64_t number = (*source)->number;
  const size_t batches = command.batches.size();
  for (AppendCommand::Batch& batch : command.batches) {
    if (batch.number <= number) continue;
    const bool gap = batch.previous > number;
    number = batch.number;
    rows.push_back(AddRow(transaction.batch(), std::move(batch.bytes), gap, now));
  }
  const size_t repeats = batches - rows.size();
  if (!rows.empty()) {
    (*source)->number = number;
    (*source)->time = now;
    transaction.batch().Put(
        kMarkKind, (*source)->key,
        EncodeMark({.source = std::move(command.source), .number = number, .time = now}));
    transaction.OnDurable(
        [&view = view_, rows = std::move(rows)]() mutable { view.Publish(std::move(rows)); });
  }
  transaction.Reply([number, repeats, done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) return done(status);
    done(AppendResult{.durable_number = number, .repeats = repeats});
  });
}

absl::StatusOr<LogMachine::Source*> LogMachine::FindSource(platform::Transaction& transaction,
                                                           const std::string& name) {
  const absl::Time now = transaction.now().wall;
  auto found = sources_.find(name);
  if (found != sources_.end()) return &found->second;
  if (sources_.size() >= kMaxSources && !ForgetSilentSource(transaction.batch(), now)) {
    return platform::Error(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_SOURCES",
        absl::StrCat("source: the log remembers ", kMaxSources, " sources, each for at least ",
                     absl::FormatDuration(retention_.age)));
  }
  return &sources_.emplace(name, Source{.key = next_source_++, .number = 0, .time = now})
              .first->second;
}

bool LogMachine::ForgetSilentSource(platform::WriteBatch& batch, absl::Time now) {
  auto oldest =
      std::min_element(sources_.begin(), sources_.end(),
                       [](const auto& a, const auto& b) { return a.second.time < b.second.time; });
  if (oldest->second.time + retention_.age > now) return false;
  batch.Erase(kMarkKind, oldest->second.key);
  sources_.erase(oldest);
  return true;
}

LogRowPtr LogMachine::AddRow(platform::WriteBatch& batch, std::string bytes, bool gap,
                             absl::Time now) {
  auto row = std::make_shared<LogRow>();
  row->row = end_++;
  row->gap = gap;
  row->time = now;
  row->batch = std::move(bytes);
  batch.Put(kRowKind, row->row, EncodeRow(now, row->batch));
  if (gap) batch.Put(kGapKind, row->row, {});
  if (auto closed = segments_.Add(row->row, row->batch.size(), now)) {
    batch.Put(kSegmentKind, closed->first, EncodeSegment(*closed));
  }
  return row;
}

void LogMachine::FinishGroup(platform::Transaction& transaction) {
  last_seen_ = transaction.now();
  for (const Segment& segment : unstored_) {
    transaction.batch().Put(kSegmentKind, segment.first, EncodeSegment(segment));
  }
  unstored_.clear();
  RowNumber first = 0;
  for (int i = 0; i < kMaxSegmentsPerGroup; ++i) {
    const auto expired = segments_.TakeExpired(last_seen_.wall);
    if (!expired) break;
    transaction.batch().EraseRange(kRowKind, expired->first, expired->last);
    transaction.batch().EraseRange(kGapKind, expired->first, expired->last);
    transaction.batch().Erase(kSegmentKind, expired->first);
    first = expired->last + 1;
  }
  if (first == 0) return;
  transaction.batch().Put(kHeadKind, 0, EncodeHead({.id = id_, .first = first}));
  transaction.OnDurable([&view = view_, first] { view.DropBefore(first); });
}

absl::Duration LogMachine::NextWake() const {
  const absl::Time expiry = segments_.NextExpiry();
  if (expiry == absl::InfiniteFuture()) return absl::InfiniteDuration();
  return last_seen_.steady + std::max(absl::ZeroDuration(), expiry - last_seen_.wall);
}

}  // namespace kantoku::events
