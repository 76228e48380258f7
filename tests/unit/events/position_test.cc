#include "services/events/position.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/platform/status.h"

namespace kantoku::events {
namespace {

constexpr uint32_t kLog = 0x1234567;

TEST_CASE("A position reads back from its text") {
  PositionWriter writer(kLog);
  for (const Position& position :
       std::vector<Position>{{1, 0}, {1, 1}, {42, 31}, {kMaxPositionRow, kMaxPositionIndex}}) {
    const auto parsed = ParsePosition(kLog, writer.Write(position));
    REQUIRE(parsed.ok());
    CHECK(*parsed == position);
  }
}

TEST_CASE("Texts sort as their positions do") {
  PositionWriter writer(kLog);
  std::string previous;
  for (const Position& position : std::vector<Position>{
           {1, 0}, {1, 1}, {1, 31}, {1, 32}, {2, 0}, {33, 0}, {1024, 9}, {kMaxPositionRow, 0}}) {
    const std::string text(writer.Write(position));
    CHECK(previous < text);
    previous = text;
  }
}

TEST_CASE("What is not the text of a position is INVALID_ARGUMENT") {
  const std::string good(PositionWriter(kLog).Write({7, 3}));
  for (const std::string& text :
       {std::string("1"), good.substr(1), good + "0", std::string(good).replace(8, 1, "w"),
        std::string(good).replace(8, 1, "A"), std::string(good).replace(20, 1, "\n"),
        std::string(21, '\0'), std::string(1'000'000, '0'),
        good.substr(0, 6) + std::string(15, '0')}) {
    const auto parsed = ParsePosition(kLog, text);
    CHECK(parsed.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(platform::ReasonOf(parsed.status()) == "INVALID_POSITION");
    CHECK(parsed.status().message().size() < 400);
  }
}

TEST_CASE("A position of another log is OUT_OF_RANGE") {
  const std::string text(PositionWriter(kLog + 1).Write({7, 3}));
  const auto parsed = ParsePosition(kLog, text);
  CHECK(parsed.status().code() == absl::StatusCode::kOutOfRange);
  CHECK(platform::ReasonOf(parsed.status()) == "UNKNOWN_POSITION");
}

}  // namespace
}  // namespace kantoku::events
