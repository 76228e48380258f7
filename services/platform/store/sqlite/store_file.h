#ifndef KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_STORE_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_STORE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/sqlite/sqlite_database.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// The file of a partition: an SQLite database in WAL mode with
//   application_id   0x4b540000 | a hash of the component's name in 16 bits
//   user_version     the layout of the tables (now 1) << 16 | the schema's format
//   partition_state  (id = 1, component, epoch, batch): who owns it, and the last batch
//   records_<kind>   (key INTEGER PRIMARY KEY, value BLOB), one table a kind
// It comes into being whole, under its name, or not at all.

bool StoreFileExists(const std::string& path);

// Makes an empty store, only for us; durable when it returns OK.
absl::Status CreateStoreFile(const std::string& path, const StoreSchema& schema);

// Looks whether the file is a store of this schema that this program can serve, and leaves it and
// its directory as they are. Costs the same for a large file. FAILED_PRECONDITION (STORE_FOREIGN,
// STORE_FORMAT_TOO_NEW) or DATA_LOSS (STORE_DAMAGED) with a line for people.
//
// Sees the file alone: what a log beside it says is for CheckStoreFormat.
absl::Status CheckStoreFile(const std::string& path, const StoreSchema& schema);

// The same question with the log's answer, which may be all that a newer program left before it was
// killed: FAILED_PRECONDITION as above, or the format that the store has. To be asked within the
// transaction that goes on with it.
absl::StatusOr<uint32_t> CheckStoreFormat(SqliteDatabase& database, const StoreSchema& schema);

// SQL that makes a table for each kind that has none and, if the store's `format` is a lower one,
// says that it is the schema's.
std::string UpgradeSql(const StoreSchema& schema, uint32_t format);
std::string TableOf(const StoreSchema::Kind& kind);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_STORE_FILE_H_
