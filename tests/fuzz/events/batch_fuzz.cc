// Any bytes are refused, or unfold into what Protobuf itself would have encoded.
#include <google/protobuf/util/message_differencer.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/events/event_batch.h"
#include "services/events/run_encoder.h"
#include "services/platform/check.h"
#include "tests/support/unfolded_event.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace events = ::kantoku::events;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  events::v1::EventBatch batch;
  if (!events::ParseEventBatch(bytes, batch).ok()) return 0;
  for (const events::v1::EventRun& run : batch.runs()) {
    const uint32_t count = events::CountEvents(run);
    const events::RunEncoder encoder(run);
    for (const uint32_t offset : {uint32_t{0}, count / 2, count - 1}) {
      std::string encoded;
      encoder.Append(offset, "position", encoded);
      events::v1::SubscribeResponse message;
      KANTOKU_CHECK(message.ParseFromString(encoded));
      events::v1::SubscribeResponse expected;
      *expected.add_events() = kantoku::test::Unfolded(run, offset, "position");
      KANTOKU_CHECK(google::protobuf::util::MessageDifferencer::Equals(message, expected));
    }
  }
  return 0;
}
