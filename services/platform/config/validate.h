#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_VALIDATE_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_VALIDATE_H_

#include "absl/status/status.h"
#include "kantoku/config/v1/config.pb.h"

namespace kantoku::platform {

// Whether a configuration with its defaults filled in can be run at all. INVALID_ARGUMENT,
// INVALID_CONFIG otherwise; the message names field, value and limit of the first fault.
absl::Status Validate(const config::v1::Config& config);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_VALIDATE_H_
