#ifndef KANTOKU_SERVICES_EVENTS_RECORD_EVENT_LOG_H_
#define KANTOKU_SERVICES_EVENTS_RECORD_EVENT_LOG_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "services/events/log.h"
#include "services/events/log_view.h"
#include "services/platform/clock.h"
#include "services/platform/store/record_store.h"

namespace kantoku::events {

struct RecordEventLogOptions {
  Retention retention;
  LogView::Limits in_memory;  // Newest rows that are read without the store.
  uint32_t new_id = 0;        // `id()` of the log if it has to be made; random.
};

// An EventLog in the records of a store: one row per batch, appended in group commits, and a mark
// per source that tells repeats. Durable as the store's traits say.
//
// Owns the store; factory and clock outlive the log. Opening fails as RecordStoreFactory::Open and
// RecordStore do, DATA_LOSS when a row is missing.
absl::StatusOr<std::unique_ptr<EventLog>> OpenRecordEventLog(RecordEventLogOptions options,
                                                             platform::RecordStoreFactory& stores,
                                                             platform::Clock& clock);

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_RECORD_EVENT_LOG_H_
