#ifndef KANTOKU_SERVICES_EVENTS_LOG_H_
#define KANTOKU_SERVICES_EVENTS_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::events {

// Place of a batch in the log. Grows, is never used twice and begins at 1; a backend may leave
// numbers out.
using RowNumber = uint64_t;

// A batch as it is kept. The log does not look into `batch`.
struct LogRow {
  RowNumber row = 0;
  absl::Time time;  // When it was appended, by the log's wall clock, to the millisecond.
  std::string batch;
  bool gap = false;  // Its source had more before it, which is lost.
};
using LogRowPtr = std::shared_ptr<const LogRow>;

// Batches of one source in the order of their numbers, which grow and begin above 0.
struct AppendCommand {
  struct Batch {
    uint64_t number = 0;
    std::string bytes;
    uint64_t previous = 0;  // Of the batch before it, which may be lost; 0: none is.
  };
  std::string source;
  std::vector<Batch> batches;
};

struct AppendResult {
  uint64_t durable_number = 0;  // Highest number of the source that is durable; 0 is none.
  size_t repeats = 0;           // Batches of this command that the log held already.
};

// Rows from `from` on. A page ends at whichever bound it meets first; it holds at least one row if
// there is one.
struct LogRange {
  RowNumber from = 1;
  size_t max_rows = 1000;
  size_t max_bytes = size_t{1} << 20;
};

struct LogPage {
  std::vector<LogRowPtr> rows;
  RowNumber next = 1;  // Where to go on.
  bool gap = false;    // Rows from `from` on have left before they were read.
};

// `first` <= `end`; equal when the log is empty.
struct LogBounds {
  RowNumber first = 1;  // Oldest row that is kept.
  RowNumber end = 1;    // One past the newest durable row.
};

// What callers may rely on beyond the interface.
struct LogTraits {
  std::string_view name;  // For logs; nobody branches on it.
  bool durable = false;   // An append that was answered survives kill -9 and power loss.
};

// How long rows stay; the oldest leave first. A log may keep a little more than it is told to: rows
// leave in segments.
struct Retention {
  absl::Duration age = absl::Hours(24);
  uint64_t max_bytes = uint64_t{10} << 30;
};

// An append-only log of numbered batches of bytes from any number of sources.
//
// Guarantees: batches of one source stand in the order of their numbers, each once: a number at or
// below the highest that the log holds of its source is a repeat and changes nothing; one whose
// `previous` is above that follows a gap, which its row tells readers of. An append is
// answered when it is durable, and readers see a row only then. Rows leave from the oldest end
// only, as the log's Retention says; a reader learns of it by `LogPage::gap`.
//
// Thread-safe, except that Read is called by one thread at a time. What the log was made from
// outlives it.
//
// Errors, of every method: RESOURCE_EXHAUSTED: no room, repeat later; UNAVAILABLE: repeat;
// DATA_LOSS and ABORTED: the log is lost to this process, stop.
class EventLog {
 public:
  using AppendDone = absl::AnyInvocable<void(absl::StatusOr<AppendResult>)>;

  virtual ~EventLog() = default;

  virtual LogTraits traits() const = 0;

  // Tells this log from another that stood in its place: made with the log, kept with it.
  virtual uint32_t id() const = 0;

  virtual LogBounds bounds() const = 0;

  // Calls `done` exactly once, perhaps before it returns, on any thread. On success every batch is
  // durable; after an error it is open which are, and the same call may be repeated without harm.
  // RESOURCE_EXHAUSTED, TOO_MANY_SOURCES when the log knows no more sources. A command without
  // batches asks for the number alone. `done` must not block.
  virtual void Append(AppendCommand command, AppendDone done) = 0;

  // A page of durable rows; none when `range.from` is at the end. `from` past the end is answered
  // as the end.
  virtual absl::StatusOr<LogPage> Read(const LogRange& range) = 0;

  // Runs `grown` once as soon as `bounds().end` is above `end`, perhaps before it returns; drops it
  // without running it when the log stops first. `grown` must not block.
  virtual void NotifyBeyond(RowNumber end, absl::AnyInvocable<void()> grown) = 0;

  // OK, or why appends are failing.
  virtual absl::Status health() const = 0;

  // Makes durable what was handed in (one try when the store is failing) and answers it.
  // Idempotent; what comes later is UNAVAILABLE.
  virtual void Stop() = 0;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_LOG_H_
