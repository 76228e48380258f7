#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_DATA_DIR_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_DATA_DIR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// Makes the directory of everything durable, with those above it, unless it is there: mode 0700,
// and durable itself. True when it was made. FAILED_PRECONDITION, DATA_DIR names the directory and
// what is wrong: it cannot be made, is no directory, or cannot be written to.
absl::StatusOr<bool> PrepareDataDir(const std::string& path);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_DATA_DIR_H_
