#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_INBOX_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_INBOX_H_

#include <memory>

#include "services/platform/store/inbox.h"
#include "services/platform/store/postgres/postgres_record_store.h"

namespace kantoku::platform {

// The functions of `migrations/<component>/0003_inbox.sql` from the side of the component: who may
// call them is the table `<schema>.<component>_role`, and a notification tells of each commit.
//
// Needs the tables (MigratePostgresStore, or a store that was opened).
std::unique_ptr<Inbox> MakePostgresInbox(const StoreSchema& schema, PostgresStoreOptions options);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_INBOX_H_
