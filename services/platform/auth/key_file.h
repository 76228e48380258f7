#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/auth/mac.h"

namespace kantoku::platform {

// The file that holds the MAC keys: `id:hex` lines, the signing key first; empty lines and lines
// that begin with # are skipped.

// INVALID_ARGUMENT names the line.
absl::StatusOr<std::vector<MacKeys::Key>> ParseKeyLines(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_
