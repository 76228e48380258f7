#ifndef KANTOKU_SERVICES_PLATFORM_AUDIT_WHY_H_
#define KANTOKU_SERVICES_PLATFORM_AUDIT_WHY_H_

#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// The reason that somebody gives for what he asks, for the audit trail: at most 256 bytes of UTF-8
// without control characters. INVALID_ARGUMENT, BAD_WHY.
absl::Status CheckWhy(std::string_view why);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUDIT_WHY_H_
