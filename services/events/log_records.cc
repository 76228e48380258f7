#include "services/events/log_records.h"

#include "absl/strings/str_cat.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

using platform::ByteReader;
using platform::ByteWriter;

absl::Status Damaged(std::string_view what, uint64_t key) {
  return platform::Error(
      absl::StatusCode::kDataLoss, "RECORD_DAMAGED",
      absl::StrCat("events: ", platform::ToAbsl(what), " ", key, " cannot be read"));
}

}  // namespace

platform::StoreSchema EventsSchema() {
  return {.component = "events",
          .format = 2,
          .kinds = {{kRowKind, "rows"},
                    {kMarkKind, "marks"},
                    {kSegmentKind, "segments"},
                    {kHeadKind, "head"},
                    {kGapKind, "gaps"}}};
}

std::string EncodeRow(absl::Time time, std::string_view batch) {
  std::string out;
  out.reserve(8 + batch.size());
  ByteWriter(out).Time(time);
  out.append(batch);
  return out;
}

absl::StatusOr<LogRow> DecodeRow(RowNumber row, std::string_view value) {
  ByteReader in(value);
  LogRow decoded;
  decoded.row = row;
  decoded.time = in.Time();
  decoded.batch = in.rest();
  if (!in.good()) return Damaged("row", row);
  return decoded;
}

std::string EncodeMark(const Mark& mark) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Text(mark.source);
  out.Unsigned(mark.number);
  out.Time(mark.time);
  return bytes;
}

absl::StatusOr<Mark> DecodeMark(std::string_view value) {
  ByteReader in(value);
  Mark mark;
  mark.source = in.Text();
  mark.number = in.Unsigned();
  mark.time = in.Time();
  if (!in.Complete()) return Damaged("mark", 0);
  return mark;
}

std::string EncodeSegment(const Segment& segment) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Unsigned(segment.last);
  out.Unsigned(segment.bytes);
  out.Time(segment.newest);
  return bytes;
}

absl::StatusOr<Segment> DecodeSegment(RowNumber first, std::string_view value) {
  ByteReader in(value);
  Segment segment;
  segment.first = first;
  segment.last = in.Unsigned();
  segment.bytes = in.Unsigned();
  segment.newest = in.Time();
  if (!in.Complete() || segment.last < segment.first) return Damaged("segment", first);
  return segment;
}

std::string EncodeHead(const Head& head) {
  std::string bytes;
  ByteWriter out(bytes);
  out.Unsigned(head.id);
  out.Unsigned(head.first);
  return bytes;
}

absl::StatusOr<Head> DecodeHead(std::string_view value) {
  ByteReader in(value);
  Head head;
  head.id = in.Small<uint32_t>();
  head.first = in.Unsigned();
  if (!in.Complete() || head.first == 0) return Damaged("head", 0);
  return head;
}

}  // namespace kantoku::events
