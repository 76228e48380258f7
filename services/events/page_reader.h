#ifndef KANTOKU_SERVICES_EVENTS_PAGE_READER_H_
#define KANTOKU_SERVICES_EVENTS_PAGE_READER_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "google/protobuf/arena.h"
#include "kantoku/events/v1/events.pb.h"
#include "services/events/event_filter.h"
#include "services/events/log.h"
#include "services/events/position.h"

namespace kantoku::events {

// Where a page ends: at whichever comes first.
struct PageLimits {
  size_t max_events = 1000;
  size_t max_bytes = size_t{1} << 20;  // Of encoded events.
  // Of rows that are looked at, whether or not something matches.
  size_t max_rows = 1000;
  size_t max_row_bytes = size_t{4} << 20;
  // At the first place from here on that is right after an event that matches, or between two rows;
  // when retention took what was here, after the first event that is left.
  Position stop = {.row = kMaxPositionRow};
};

struct PageEnd {
  Position next;     // Where to go on.
  bool gap = false;  // Events before the page are missing: retention or their source dropped them.
  bool end = false;  // Nothing more was there.
  size_t events = 0;
  size_t bytes = 0;  // Of the events, encoded.
  size_t rows = 0;   // That were looked at.
};

// Reads, decodes and filters rows. The newest ones are kept decoded, since live readers all read
// the same.
//
// Confined to the hub's thread. The log outlives it.
class PageReader {
 public:
  explicit PageReader(EventLog& log) : log_(log), writer_(log.id()) {}

  // Appends those events from `from` on that match to an encoded message, a SubscribeResponse or a
  // ReadResponse. Errors are those of EventLog::Read; what was appended then is of no use.
  absl::StatusOr<PageEnd> Read(Position from, const EventFilter& filter, const PageLimits& limits,
                               std::string& message);

  std::string_view Text(const Position& position) { return writer_.Write(position); }

 private:
  struct DecodedRow {
    google::protobuf::Arena arena;
    v1::EventBatch* batch;
    uint32_t count = 0;
    size_t bytes = 0;
  };
  using DecodedRowPtr = std::shared_ptr<const DecodedRow>;
  struct Page {
    const EventFilter& filter;
    const PageLimits& limits;
    std::string& message;
    PageEnd result;
    bool full() const {
      return result.events >= limits.max_events || result.bytes >= limits.max_bytes ||
             result.next >= limits.stop;
    }
  };

  absl::StatusOr<DecodedRowPtr> Decode(const LogRow& row);
  void Remember(RowNumber row, const DecodedRowPtr& decoded);
  // Moves the page's `next` through the row, to its end unless the page is full first.
  void AddRow(RowNumber number, const DecodedRow& row, Page& page);
  // Events of `run`, which begins at `first` in its row; false when the page is full.
  bool AddRun(RowNumber number, const DecodedRow& row, const v1::EventRun& run, uint32_t first,
              Page& page);

  EventLog& log_;
  PositionWriter writer_;
  absl::flat_hash_map<RowNumber, DecodedRowPtr> decoded_;
  std::deque<RowNumber> decoded_order_;  // Oldest first.
  size_t decoded_bytes_ = 0;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_PAGE_READER_H_
