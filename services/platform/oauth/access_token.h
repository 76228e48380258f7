#ifndef KANTOKU_SERVICES_PLATFORM_OAUTH_ACCESS_TOKEN_H_
#define KANTOKU_SERVICES_PLATFORM_OAUTH_ACCESS_TOKEN_H_

#include <string>

#include "absl/time/time.h"

namespace kantoku::platform {

// What calls show, and when it ends.
struct AccessToken {
  std::string text;  // As CheckToken wants it.
  absl::Time expires;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_OAUTH_ACCESS_TOKEN_H_
