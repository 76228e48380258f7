#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_RECORD_STORE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

struct PostgresStoreOptions {
  // Where the database is and as whom (postgres_connection.h).
  std::string connection;
  std::string password_file;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration statement_timeout = absl::Seconds(30);

  std::string schema = "kantoku";  // Holds the tables.
  // The first Open brings the tables to the layout that it needs; later ones see whether they have
  // it.
  bool migrate = false;
  // How long Open waits for a commit of the owner before it ends that owner's sessions.
  absl::Duration takeover_timeout = absl::Seconds(2);
  // Told, once per Open, what makes the server's word worth less than it should be.
  std::function<void(std::string_view)> warn = [](std::string_view) {};
};

// Keeps partitions in tables of a PostgreSQL database, `<schema>.<component>_record` beside
// `<schema>.<component>_partition` (migrations/). A commit is one statement that commits by itself,
// in one round trip, so that no owner can stop in the middle of one and leave its locks.
//
// Guarantees as record_store.h; as durable as the server's commits are, with synchronous_commit at
// least `on`. A later Open, from wherever, fences the earlier owner; where that one hangs within a
// commit, its sessions are ended, which takes the rights of the same role.
//
// Each store has a connection that commits and one that reads, made anew when they break: until the
// server answers again, calls are UNAVAILABLE; also while it refuses us, which only Open takes for
// FAILED_PRECONDITION (STORE_DENIED, STORE_NOT_MIGRATED, those of the password's file, ...).
// Of Commit, FAILED_PRECONDITION is BATCH_OUT_OF_ORDER alone, DATA_LOSS also STORE_WENT_BACK, and
// INVALID_ARGUMENT (VALUE_TOO_LARGE) a fault of ours.
//
// Thread safety and errors as record_store.h. Stores may outlive their factory.
std::unique_ptr<RecordStoreFactory> MakePostgresRecordStoreFactory(StoreSchema schema,
                                                                   PostgresStoreOptions options);

// Makes the tables of a component, or brings them to the layout that this program needs. As
// MigratePostgres (postgres_schema.h).
absl::StatusOr<int> MigratePostgresStore(const StoreSchema& schema,
                                         const PostgresStoreOptions& options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_RECORD_STORE_H_
