#include "services/events/record_event_log.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/events/log_machine.h"
#include "services/events/log_records.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

using platform::PartitionRunner;
using platform::RecordKey;
using platform::RecordStore;

// Rows of unknown size are asked for a few at a time: a scan cannot be stopped by bytes.
constexpr size_t kFirstScanRows = 4;
constexpr size_t kMaxPendingBytes = size_t{256} << 20;

// Visits a range and stops looking at records after the first that `take` refuses.
template <typename Take>
absl::Status ScanWhileOk(RecordStore& store, const platform::RecordRange& range, Take take) {
  absl::Status taken;
  const absl::Status scanned = store.Scan(range, [&](RecordKey key, std::string_view value) {
    if (taken.ok()) taken = take(key, value);
  });
  return scanned.ok() ? taken : scanned;
}

absl::Status RecoverHead(RecordStore& store, uint32_t new_id, RecoveredLog& log) {
  log.head.id = 0;
  bool found = false;
  KANTOKU_RETURN_IF_ERROR(
      ScanWhileOk(store, {.kind = kHeadKind}, [&](RecordKey, std::string_view value) {
        auto head = DecodeHead(value);
        if (head.ok()) log.head = *head;
        found = true;
        return head.status();
      }));
  if (found) return absl::OkStatus();
  log.head.id = new_id;
  KANTOKU_ASSIGN_OR_RETURN(const uint64_t last_batch, store.LastBatch());
  platform::WriteBatch batch;
  batch.set_number(last_batch + 1);
  batch.Put(kHeadKind, 0, EncodeHead(log.head));
  return store.Commit(batch);
}

using Rows = std::vector<std::shared_ptr<LogRow>>;

// Sets `gap` of those that follow one; they stand in the order of their numbers.
absl::Status MarkGaps(RecordStore& store, const Rows& rows) {
  if (rows.empty()) return absl::OkStatus();
  return store.Scan({.kind = kGapKind, .first = rows.front()->row, .last = rows.back()->row},
                    [&](RecordKey key, std::string_view) {
                      const auto row = std::ranges::lower_bound(
                          rows, key, {},
                          [](const std::shared_ptr<LogRow>& candidate) { return candidate->row; });
                      if (row != rows.end() && (*row)->row == key) (*row)->gap = true;
                    });
}

absl::Status RecoverRows(RecordStore& store, RecoveredLog& log) {
  Rows rows;
  RowNumber expected = log.segments.empty() ? log.head.first : log.segments.back().last + 1;
  const platform::RecordRange range = {.kind = kRowKind, .first = expected};
  KANTOKU_RETURN_IF_ERROR(ScanWhileOk(store, range, [&](RecordKey key, std::string_view value) {
    if (key != expected++) {
      return platform::Error(absl::StatusCode::kDataLoss, "ROW_MISSING",
                             absl::StrCat("events: row ", expected - 1, " is missing"));
    }
    auto row = DecodeRow(key, value);
    if (!row.ok()) return row.status();
    rows.push_back(std::make_shared<LogRow>(*std::move(row)));
    return absl::OkStatus();
  }));
  KANTOKU_RETURN_IF_ERROR(MarkGaps(store, rows));
  log.rows.assign(rows.begin(), rows.end());
  log.end = expected;
  return absl::OkStatus();
}

absl::StatusOr<RecoveredLog> Recover(RecordStore& store, uint32_t new_id) {
  RecoveredLog log;
  KANTOKU_RETURN_IF_ERROR(RecoverHead(store, new_id, log));
  KANTOKU_RETURN_IF_ERROR(
      ScanWhileOk(store, {.kind = kMarkKind}, [&](RecordKey key, std::string_view value) {
        auto mark = DecodeMark(value);
        if (!mark.ok()) return mark.status();
        log.marks.emplace_back(key, *std::move(mark));
        return absl::OkStatus();
      }));
  KANTOKU_RETURN_IF_ERROR(
      ScanWhileOk(store, {.kind = kSegmentKind}, [&](RecordKey key, std::string_view value) {
        auto segment = DecodeSegment(key, value);
        if (segment.ok()) log.segments.push_back(*segment);
        return segment.status();
      }));
  KANTOKU_RETURN_IF_ERROR(RecoverRows(store, log));
  return log;
}

// Answers an append, also when the runner is lost and drops the command.
class Answer {
 public:
  Answer(EventLog::AppendDone done, std::atomic<size_t>& pending, size_t bytes)
      : done_(std::move(done)), pending_(pending), bytes_(bytes) {}
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() {
    if (!given_) {
      Give(platform::Error(absl::StatusCode::kUnavailable, "LOG_LOST", "the event log is lost"));
    }
  }

  void Give(absl::StatusOr<AppendResult> result) {
    given_ = true;
    pending_ -= bytes_;
    done_(std::move(result));
  }

 private:
  EventLog::AppendDone done_;
  std::atomic<size_t>& pending_;
  const size_t bytes_;
  bool given_ = false;
};

class RecordEventLog final : public EventLog {
 public:
  RecordEventLog(const RecordEventLogOptions& options, const RecoveredLog& recovered,
                 platform::StoreTraits store_traits, std::unique_ptr<RecordStore> store,
                 platform::Clock& clock)
      : traits_{.name = store_traits.name, .durable = store_traits.durable},
        id_(recovered.head.id),
        store_(std::move(store)),
        view_({.first = recovered.head.first, .end = recovered.end}, options.in_memory),
        machine_(options.retention, recovered, clock.Read(), view_) {
    view_.Warm(recovered.rows);
  }

  ~RecordEventLog() override { Stop(); }

  absl::Status Start(platform::Clock& clock) {
    PartitionRunner::Options options;
    options.name = "events/0";
    KANTOKU_ASSIGN_OR_RETURN(runner_,
                             PartitionRunner::Start(std::move(options), *store_, machine_, clock));
    return absl::OkStatus();
  }

  LogTraits traits() const override { return traits_; }
  uint32_t id() const override { return id_; }
  LogBounds bounds() const override { return view_.bounds(); }

  void Append(AppendCommand command, AppendDone done) override {
    size_t bytes = 0;
    for (const AppendCommand::Batch& batch : command.batches) bytes += batch.bytes.size();
    if (pending_bytes_.fetch_add(bytes) + bytes > kMaxPendingBytes) {
      pending_bytes_ -= bytes;
      return done(platform::Error(
          absl::StatusCode::kResourceExhausted, "APPENDS_PENDING",
          absl::StrCat("append: more than ", kMaxPendingBytes, " bytes wait to be stored")));
    }
    auto answer = std::make_shared<Answer>(std::move(done), pending_bytes_, bytes);
    const absl::Status posted = runner_->Post(
        [this, command = std::move(command), answer](platform::Transaction& transaction) mutable {
          machine_.Append(transaction, std::move(command),
                          [answer](auto result) { answer->Give(std::move(result)); });
        });
    if (!posted.ok()) answer->Give(posted);
  }

  absl::StatusOr<LogPage> Read(const LogRange& range) override {
    LogPage page;
    const LogBounds bounds = view_.bounds();
    LogRange kept = range;
    if (kept.from < bounds.first) {
      kept.from = bounds.first;
      page.gap = true;
    }
    if (view_.ReadNewest(kept, page)) return page;
    KANTOKU_RETURN_IF_ERROR(ReadStore(kept, bounds.end - 1, page));
    return page;
  }

  void NotifyBeyond(RowNumber end, absl::AnyInvocable<void()> grown) override {
    view_.NotifyBeyond(end, std::move(grown));
  }

  absl::Status health() const override { return runner_->health(); }

  void Stop() override {
    if (runner_) runner_->Stop();
    view_.Close();
  }

 private:
  // Rows may leave between two scans. A page ends where that happened, so that its gap is always
  // before its first row.
  absl::Status ReadStore(const LogRange& range, RowNumber last, LogPage& page) {
    page.next = range.from;
    size_t bytes = 0;
    size_t step = kFirstScanRows;
    while (page.next <= last && page.rows.size() < range.max_rows && bytes < range.max_bytes) {
      const size_t limit = std::min(step, range.max_rows - page.rows.size());
      Rows rows;
      KANTOKU_ASSIGN_OR_RETURN(rows, ScanRows({page.next, last}, limit));
      const bool hole = rows.empty() || rows.front()->row != page.next;
      if (hole && !page.rows.empty()) break;
      page.gap |= hole;
      page.next = rows.empty() ? last + 1 : rows.back()->row + 1;
      for (auto& row : rows) {
        bytes += row->batch.size();
        page.rows.push_back(std::move(row));
      }
      if (page.rows.empty()) break;
      // As many again as the bytes that are left are likely to hold.
      const size_t average = bytes / page.rows.size() + 1;
      step = range.max_bytes > bytes ? (range.max_bytes - bytes) / average + 1 : 1;
    }
    return absl::OkStatus();
  }

  struct RowSpan {
    RowNumber first;
    RowNumber last;  // Inclusive.
  };
  absl::StatusOr<Rows> ScanRows(RowSpan span, size_t limit) {
    Rows rows;
    const platform::RecordRange range = {
        .kind = kRowKind, .first = span.first, .last = span.last, .limit = limit};
    KANTOKU_RETURN_IF_ERROR(ScanWhileOk(*store_, range, [&](RecordKey key, std::string_view value) {
      auto row = DecodeRow(key, value);
      if (!row.ok()) return row.status();
      rows.push_back(std::make_shared<LogRow>(*std::move(row)));
      return absl::OkStatus();
    }));
    KANTOKU_RETURN_IF_ERROR(MarkGaps(*store_, rows));
    return rows;
  }

  const LogTraits traits_;
  const uint32_t id_;
  const std::unique_ptr<RecordStore> store_;
  LogView view_;
  LogMachine machine_;
  std::atomic<size_t> pending_bytes_ = 0;  // Of appends that are not answered.
  std::unique_ptr<PartitionRunner> runner_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EventLog>> OpenRecordEventLog(RecordEventLogOptions options,
                                                             platform::RecordStoreFactory& stores,
                                                             platform::Clock& clock) {
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores.Open(0));
  auto recovered = Recover(*store, options.new_id);
  if (!recovered.ok()) return platform::Annotate(recovered.status(), "recover the event log");
  auto log = std::make_unique<RecordEventLog>(options, *recovered, stores.traits(),
                                              std::move(store), clock);
  KANTOKU_RETURN_IF_ERROR(log->Start(clock));
  return log;
}

}  // namespace kantoku::events
