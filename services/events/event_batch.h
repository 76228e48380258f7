#ifndef KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_
#define KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_

#include <cstddef>
#include <cstdint>
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

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_EVENT_BATCH_H_
