#ifndef KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_STATUS_H_
#define KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// The one place where SQLite's codes become a status. `code` is an extended result code,
// `system_errno` what the system said if it was an I/O error (else 0), `message` SQLite's text.
//   RESOURCE_EXHAUSTED (STORE_FULL)       no room; repeat after making some
//   UNAVAILABLE (STORE_BUSY, _FAILING)    repeat
//   DATA_LOSS (STORE_DAMAGED)             the file is not what SQLite wrote
//   FAILED_PRECONDITION (STORE_READ_ONLY) the file may not be written
//   INTERNAL, INVALID_ARGUMENT            a fault of ours
absl::Status SqliteStatus(int code, int system_errno, std::string_view message);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_STATUS_H_
