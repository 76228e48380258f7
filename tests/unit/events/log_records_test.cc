#include "services/events/log_records.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::events {
namespace {

const absl::Time kNoon = absl::FromUnixMillis(1'700'000'000'123);

TEST_CASE("Records read back as they were written") {
  const auto row = DecodeRow(7, EncodeRow(kNoon, "bytes"));
  REQUIRE(row.ok());
  CHECK(row->row == 7);
  CHECK(row->time == kNoon);
  CHECK(row->batch == "bytes");

  const auto mark = DecodeMark(EncodeMark({.source = "inputs/0", .number = 9, .time = kNoon}));
  REQUIRE(mark.ok());
  CHECK(mark->source == "inputs/0");
  CHECK(mark->number == 9);
  CHECK(mark->time == kNoon);

  const auto segment =
      DecodeSegment(3, EncodeSegment({.first = 3, .last = 5, .bytes = 100, .newest = kNoon}));
  REQUIRE(segment.ok());
  CHECK(segment->first == 3);
  CHECK(segment->last == 5);
  CHECK(segment->bytes == 100);
  CHECK(segment->newest == kNoon);

  const auto head = DecodeHead(EncodeHead({.id = 0xfedcba98, .first = 12}));
  REQUIRE(head.ok());
  CHECK(head->id == 0xfedcba98);
  CHECK(head->first == 12);
}

TEST_CASE("A record that is cut short, too long or makes no sense is DATA_LOSS") {
  const std::string mark = EncodeMark({.source = "inputs/0", .number = 9, .time = kNoon});
  const std::string segment = EncodeSegment({.first = 3, .last = 5, .bytes = 1, .newest = kNoon});
  const std::string head = EncodeHead({.id = 1, .first = 12});
  const auto is_loss = [](const auto& decoded) {
    return decoded.status().code() == absl::StatusCode::kDataLoss;
  };
  CHECK(is_loss(DecodeRow(1, "")));
  CHECK(is_loss(DecodeMark(mark.substr(1))));
  CHECK(is_loss(DecodeMark(mark + "x")));
  CHECK(is_loss(DecodeSegment(3, segment.substr(0, 2))));
  CHECK(is_loss(DecodeSegment(6, segment)));
  CHECK(is_loss(DecodeHead(head + "x")));
  CHECK(is_loss(DecodeHead(EncodeHead({.id = 1, .first = 0}))));
}

}  // namespace
}  // namespace kantoku::events
