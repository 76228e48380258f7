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

// NOT_FOUND when there is no file; FAILED_PRECONDITION when it is not a plain file that only its
// owner may read.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// Makes a durable file of mode 0600, whole or not at all. ALREADY_EXISTS when there is one, which
// stays as it is.
absl::Status CreateSecretFile(const std::string& path, std::string_view content);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_
