#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_TOKEN_WAIT_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_TOKEN_WAIT_H_

#include "absl/time/time.h"

namespace kantoku::platform {

// How long somebody waits for his first access token.
struct TokenWait {
  bool may_come_later = false;  // Where the issuer cannot be reached; until then none is shown.
  absl::Duration patience = absl::Seconds(20);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_TOKEN_WAIT_H_
