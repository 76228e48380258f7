#ifndef KANTOKU_SERVICES_EVENTS_LOG_RECORDS_H_
#define KANTOKU_SERVICES_EVENTS_LOG_RECORDS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/events/log.h"
#include "services/platform/store/record_store.h"

namespace kantoku::events {

// How RecordEventLog lays the log out in records. README.md, "On disk", is the reference.
inline constexpr platform::RecordKind kRowKind = 1;      // By row number.
inline constexpr platform::RecordKind kMarkKind = 2;     // By source, numbered as they appeared.
inline constexpr platform::RecordKind kSegmentKind = 3;  // By the segment's first row.
inline constexpr platform::RecordKind kHeadKind = 4;     // One record, under key 0.
inline constexpr platform::RecordKind kGapKind = 5;      // By the row that follows the gap; empty.

platform::StoreSchema EventsSchema();

// Neighbouring rows that leave together.
struct Segment {
  RowNumber first = 0;
  RowNumber last = 0;  // Inclusive.
  uint64_t bytes = 0;
  absl::Time newest = absl::InfinitePast();  // Of its rows.
};

// How far a source has come.
struct Mark {
  std::string source;
  uint64_t number = 0;
  absl::Time time;  // Of the last append.
};

// The log itself.
struct Head {
  uint32_t id = 0;
  RowNumber first = 1;  // Rows below have left.
};

// In the fields of byte_io.h. Decoding fails with DATA_LOSS.
std::string EncodeRow(absl::Time time, std::string_view batch);
absl::StatusOr<LogRow> DecodeRow(RowNumber row, std::string_view value);
std::string EncodeMark(const Mark& mark);
absl::StatusOr<Mark> DecodeMark(std::string_view value);
std::string EncodeSegment(const Segment& segment);
absl::StatusOr<Segment> DecodeSegment(RowNumber first, std::string_view value);
std::string EncodeHead(const Head& head);
absl::StatusOr<Head> DecodeHead(std::string_view value);

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_LOG_RECORDS_H_
