// Any text is refused or is the one text of a position.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/events/position.h"
#include "services/platform/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint32_t kLog = 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto position = kantoku::events::ParsePosition(kLog, text);
  if (position.ok()) {
    KANTOKU_CHECK(kantoku::events::PositionWriter(kLog).Write(*position) == text);
  }
  return 0;
}
