#ifndef KANTOKU_SERVICES_PLATFORM_STORE_DECORATORS_METERED_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_DECORATORS_METERED_RECORD_STORE_H_

#include <prometheus/registry.h>

#include <memory>
#include <string_view>

#include "services/platform/clock.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// Measures the stores that `behind` opens and changes nothing else. Per component and partition:
//   kantoku_store_commit_seconds, kantoku_store_read_seconds   histograms, of what succeeded
//   kantoku_store_commit_bytes_total, kantoku_store_commit_records_total
//   kantoku_store_failures_total   by operation (commit, read) and code
//
// Guarantees, thread safety and errors are those of `behind`, which it owns. Registry and clock
// outlive the stores.
std::unique_ptr<RecordStoreFactory> MakeMeteredRecordStoreFactory(
    std::unique_ptr<RecordStoreFactory> behind, std::string_view component,
    prometheus::Registry& registry, Clock& clock);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_DECORATORS_METERED_RECORD_STORE_H_
