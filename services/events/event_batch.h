#ifndef KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_
#define KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "kantoku/events/v1/events.pb.h"
#include "services/events/position.h"

namespace kantoku::events {

// What one batch may be.
inline constexpr size_t kMaxBatchBytes = size_t{8} << 20;
inline constexpr size_t kMaxBatchEvents = 1'000'000;
static_assert(kMaxBatchEvents <= kMaxPositionIndex);

// Events that a run unfolds to.
inline uint32_t CountEvents(const v1::EventRun& run) {
  return run.task_ids().empty() ? 1 : static_cast<uint32_t>(run.task_ids().size() / 16);
}

// Parses an encoded EventBatch into `batch` and checks everything that unfolding relies on.
// INVALID_ARGUMENT: INVALID_BATCH, BATCH_TOO_LARGE; names the run.
absl::Status ParseEventBatch(std::string_view encoded, v1::EventBatch& batch);

// Unfolds a run straight into encoded events, of which each costs little more than copying its
// bytes: what the events of a run share is encoded once.
//
// Thread-compatible. The run outlives it.
class RunEncoder {
 public:
  explicit RunEncoder(const v1::EventRun& run);

  // Appends the event `offset` of the run as one more of a message's `events`; the message is a
  // SubscribeResponse or a ReadResponse.
  void Append(uint32_t offset, std::string_view position, std::string& message) const;

 private:
  const v1::EventRun& run_;
  // Fields of every event, in the order of their numbers, between those that it has of its own.
  std::string before_task_;
  std::string before_dispatch_;
  std::string after_dispatch_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_
