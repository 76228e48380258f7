#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_TAKEOVER_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_TAKEOVER_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// Makes a partition ours, within a bound, whatever its owner does: where that one keeps it locked,
// the owner's sessions are ended. Returns the new epoch. Works in a session of its own.
//
// UNAVAILABLE (STORE_BUSY) when somebody else keeps it locked, for instance another role;
// FAILED_PRECONDITION (STORE_FORMAT_TOO_NEW) when a newer program was here.
absl::StatusOr<int64_t> TakeOver(const StoreSchema& schema, uint32_t partition,
                                 const PostgresStoreOptions& options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_TAKEOVER_H_
