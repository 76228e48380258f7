#ifndef KANTOKU_SERVICES_PLATFORM_STORE_MEMORY_MEMORY_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_MEMORY_MEMORY_RECORD_STORE_H_

#include <memory>

#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// Keeps records in memory. A partition opened again has what was committed before, as long as the
// factory lives; nothing outlives the process.
//
// Guarantees, thread safety and errors as record_store.h; RESOURCE_EXHAUSTED, UNAVAILABLE and
// DATA_LOSS do not happen. Stores may outlive their factory.
std::unique_ptr<RecordStoreFactory> MakeMemoryRecordStoreFactory(StoreSchema schema);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_MEMORY_MEMORY_RECORD_STORE_H_
