// Any bytes are refused as a record of the log, or mean the same when they are written again. The
// first byte chooses the kind.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/events/log_records.h"
#include "services/platform/check.h"

namespace {

namespace events = ::kantoku::events;

constexpr events::RowNumber kRow = 7;

void CheckRow(std::string_view bytes) {
  const auto row = events::DecodeRow(kRow, bytes);
  if (!row.ok()) return;
  KANTOKU_CHECK(row->row == kRow);
  const std::string record = events::EncodeRow(row->time, row->batch);
  const auto again = events::DecodeRow(kRow, record);
  KANTOKU_CHECK(again.ok() && again->time == row->time && again->batch == row->batch);
}

void CheckMark(std::string_view bytes) {
  const auto mark = events::DecodeMark(bytes);
  if (!mark.ok()) return;
  const auto again = events::DecodeMark(events::EncodeMark(*mark));
  KANTOKU_CHECK(again.ok() && again->source == mark->source && again->number == mark->number);
  KANTOKU_CHECK(again->time == mark->time);
}

void CheckSegment(std::string_view bytes) {
  const auto segment = events::DecodeSegment(kRow, bytes);
  if (!segment.ok()) return;
  KANTOKU_CHECK(segment->first == kRow);
  const auto again = events::DecodeSegment(kRow, events::EncodeSegment(*segment));
  KANTOKU_CHECK(again.ok() && again->last == segment->last && again->bytes == segment->bytes);
  KANTOKU_CHECK(again->newest == segment->newest);
}

void CheckHead(std::string_view bytes) {
  const auto head = events::DecodeHead(bytes);
  if (!head.ok()) return;
  const auto again = events::DecodeHead(events::EncodeHead(*head));
  KANTOKU_CHECK(again.ok() && again->id == head->id && again->first == head->first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      CheckRow(bytes);
      break;
    case 1:
      CheckMark(bytes);
      break;
    case 2:
      CheckSegment(bytes);
      break;
    default:
      CheckHead(bytes);
  }
  return 0;
}
