#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SCHEMA_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SCHEMA_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/postgres/postgres_connection.h"

namespace kantoku::platform {

// A step from one layout of a component's tables to the next. Steps are applied in their order and
// never changed once they were released. One that concerns another component is none: neither does
// it change the layout, nor need an older program know of it.
struct PostgresMigration {
  int number;  // 1, 2, 3, …
  std::string_view name;
  std::string_view sql;             // With {schema} and {component} where their names belong.
  std::string_view component = {};  // Whose tables alone it concerns; empty: everybody's.
};

// All steps that this program knows; the files of `migrations/`.
std::span<const PostgresMigration> PostgresMigrations();

// Where a component's tables are: `<schema>.<component>_…`. Beside them `kantoku_migration` lists
// the steps that were applied to each component.
struct PostgresTables {
  std::string schema;
  std::string component;
};

// `sql` with the names of the place.
std::string InPlace(std::string_view sql, const PostgresTables& place);

// After success the tables have the layout of the last of `steps`. All steps that are missing are
// applied in one transaction, or none; programs that migrate at once wait for each other. The
// schema is made if there is none. Returns how many steps were missing. Idempotent.
//
// FAILED_PRECONDITION, and nothing has changed: STORE_FOREIGN when the schema holds tables of
// somebody else and none of ours, STORE_FORMAT_TOO_NEW when a newer program was here, STORE_DENIED
// when the role may not create.
absl::StatusOr<int> MigratePostgres(PostgresConnection& connection, const PostgresTables& place,
                                    std::span<const PostgresMigration> steps);

// Whether the layout is that of the last of `steps`. Changes nothing. FAILED_PRECONDITION: as
// above, and STORE_NOT_MIGRATED when steps are missing.
absl::Status CheckPostgresMigrated(PostgresConnection& connection, const PostgresTables& place,
                                   std::span<const PostgresMigration> steps);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_POSTGRES_SCHEMA_H_
