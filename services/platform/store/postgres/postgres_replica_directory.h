#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_REPLICA_DIRECTORY_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_REPLICA_DIRECTORY_H_

#include <memory>

#include "services/platform/replicas/replica_directory.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// The directory in the database that holds a component's records: `<schema>.<component>_replica`
// and `<schema>.<component>_owner` (migrations/). A beat is one statement in one round trip; who
// lives is decided by the clock of the server's machine.
//
// Of the options: where the database is, schema and migrate, by which CountPartitions makes the
// tables. Its session has time-outs of its own, a second or two, so that a database that hangs is
// noticed within a lease. It does not wait until its changes are durable: what a crash of the
// server undoes, the next beats set right. Rows of replicas that have been dead for a minute are
// cleared away.
//
// Thread safety and errors as replica_directory.h. Connects with the first use, anew after errors.
std::unique_ptr<ReplicaDirectory> MakePostgresReplicaDirectory(StoreSchema schema,
                                                               PostgresStoreOptions options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_REPLICA_DIRECTORY_H_
