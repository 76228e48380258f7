// Any bytes are refused, or unfold without harm.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "services/events/event_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace events = ::kantoku::events;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  events::v1::EventBatch batch;
  if (!events::ParseEventBatch(bytes, batch).ok()) return 0;
  for (const events::v1::EventRun& run : batch.runs()) {
    const uint32_t count = events::CountEvents(run);
    for (const uint32_t offset : {uint32_t{0}, count / 2, count - 1}) {
      events::v1::Event event;
      events::UnfoldEvent(run, offset, event);
    }
  }
  return 0;
}
