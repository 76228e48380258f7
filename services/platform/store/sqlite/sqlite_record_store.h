#ifndef KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_SQLITE_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_SQLITE_RECORD_STORE_H_

#include <memory>
#include <string>

#include "services/platform/store/record_store.h"

namespace kantoku::platform {

struct SqliteStoreOptions {
  std::string directory;  // Made if it is missing, for this user only.
  // Log size at which its content is copied to the main file, on the thread of Commit.
  size_t wal_bytes = size_t{16} << 20;
  // Most that pages in memory take, for each of a partition's two connections.
  size_t cache_bytes = size_t{2} << 20;
};

// Keeps each partition in an SQLite file of its own, `<directory>/<component>-<partition>.sqlite`,
// beside its log, its index of the log and a lock file (format: store_file.h).
//
// Guarantees as record_store.h; a commit that returned OK has been synced. The lock keeps other
// processes, and other factories of this one, out as long as a store is open; a second Open of the
// same factory fences the first store. Erased records make room for new ones; the file never
// shrinks.
//
// Thread safety and errors as record_store.h. Stores may outlive their factory.
std::unique_ptr<RecordStoreFactory> MakeSqliteRecordStoreFactory(StoreSchema schema,
                                                                 SqliteStoreOptions options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_SQLITE_RECORD_STORE_H_
