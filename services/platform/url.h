#ifndef KANTOKU_SERVICES_PLATFORM_URL_H_
#define KANTOKU_SERVICES_PLATFORM_URL_H_

#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// INVALID_ARGUMENT, INVALID_URL unless it is an https URL, or an http URL of this very computer
// (127.0.0.1, [::1], localhost), with nothing behind the path.
absl::Status CheckUrl(std::string_view url);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_URL_H_
