#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SESSION_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SESSION_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/postgres/postgres_schema.h"

namespace kantoku::platform {

// A partition, as all its statements name it.
struct PostgresPartition {
  PostgresTables place;
  int64_t number = 0;
  int64_t epoch = 0;
};

// "kantoku lab inputs/0" in pg_stat_activity: all sessions of whoever owns the partition.
std::string SessionsOf(const PostgresTables& place, uint32_t partition);

// Of what a partition that was opened asks its connection. That the database is closed to us, by a
// right that was taken, a password's file that is being replaced or tables that are being restored,
// is UNAVAILABLE (STORE_FAILING) then: it was open before and may be again, and what waits for it
// stays sound.
absl::Status WhileOpen(const absl::Status& status);

// Of a session of that name, whose statements are planned once.
PostgresOptions SessionOptions(const PostgresStoreOptions& options, std::string name);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SESSION_H_
