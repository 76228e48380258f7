#ifndef KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_STATUS_H_
#define KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// The one place where what PostgreSQL says becomes a status. `sqlstate` is its code of five
// characters, empty when the connection was lost or never came about; `message` its text.
//   RESOURCE_EXHAUSTED (STORE_FULL, OUT_OF_MEMORY)   no room; repeat after making some
//   UNAVAILABLE (STORE_BUSY, _FAILING, _READ_ONLY)   repeat; it may be another server that answers
//   DATA_LOSS (STORE_DAMAGED)                        the server found its files damaged
//   FAILED_PRECONDITION (STORE_DENIED)               the role may not do it
//   FAILED_PRECONDITION (STORE_NOT_MIGRATED)         there is no such schema, table or function
//   INVALID_ARGUMENT (VALUE_TOO_LARGE), INTERNAL     a fault of ours
// After all but FAILED_PRECONDITION and INVALID_ARGUMENT a statement may or may not have happened.
absl::Status PostgresStatus(std::string_view sqlstate, std::string_view message);

// Of the exception that is being handled, for `catch (...)`: no exception of libpqxx goes further.
absl::Status PostgresStatusOfException();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_POSTGRES_POSTGRES_STATUS_H_
