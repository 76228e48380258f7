#ifndef KANTOKU_SERVICES_EVENTS_POSITION_H_
#define KANTOKU_SERVICES_EVENTS_POSITION_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/events/log.h"

namespace kantoku::events {

// A place between two events: before the event `index` of the row `row`. The end of a row is
// written as the beginning of the next, so every place has one form.
struct Position {
  RowNumber row = 1;
  uint32_t index = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): takes the 0 that the compiler writes for a pointer.
  auto operator<=>(const Position&) const = default;  // NOLINT(modernize-use-nullptr)
};

// What a position can say, and so what a log can hold: at a thousand rows a second the rows last
// for 35,000 years.
inline constexpr RowNumber kMaxPositionRow = (RowNumber{1} << 50) - 1;
inline constexpr uint32_t kMaxPositionIndex = (uint32_t{1} << 25) - 1;

// Writes positions of one log as text: 21 characters of 0-9 and a-v that sort as the positions do.
// The log's id is in it, so that a position of a log that was reset is not taken for one of its
// successor.
//
// Thread-compatible.
class PositionWriter {
 public:
  explicit PositionWriter(uint32_t log_id);

  // The text lives until the next call.
  std::string_view Write(const Position& position);

 private:
  RowNumber row_ = 0;  // That `text_` shows.
  std::string text_;
};

// INVALID_ARGUMENT, INVALID_POSITION when `text` is not the text of a position; OUT_OF_RANGE,
// UNKNOWN_POSITION when it is one of another log.
absl::StatusOr<Position> ParsePosition(uint32_t log_id, std::string_view text);

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_POSITION_H_
