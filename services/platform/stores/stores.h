#ifndef KANTOKU_SERVICES_PLATFORM_STORES_STORES_H_
#define KANTOKU_SERVICES_PLATFORM_STORES_STORES_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/replicas/replica_directory.h"
#include "services/platform/server/module.h"
#include "services/platform/store/inbox.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// The store that a configuration names, decorated as every store is. The one place that knows all
// backends: callers see the interface and its traits.
std::unique_ptr<RecordStoreFactory> MakeStoreFactory(const config::v1::StoreConfig& config,
                                                     StoreSchema schema, Environment& environment);

// Where the programs that share a store agree who has which partition; null: nobody else can have
// it.
std::unique_ptr<ReplicaDirectory> MakeReplicaDirectory(const config::v1::StoreConfig& config,
                                                       const StoreSchema& schema);

// The door that the store has for others who use its database, once it was opened; null where it
// has none.
std::unique_ptr<Inbox> MakeInbox(const config::v1::StoreConfig& config, const StoreSchema& schema);

// Brings what a store needs to exist before it is opened up to date, and returns how many steps
// were missing: of PostgreSQL the tables. Nothing where a store does so by itself when it is
// opened. Errors as MigratePostgres.
absl::StatusOr<std::optional<int>> MigrateStore(const config::v1::StoreConfig& config,
                                                const StoreSchema& schema);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORES_STORES_H_
