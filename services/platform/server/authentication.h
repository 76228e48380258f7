#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_AUTHENTICATION_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_AUTHENTICATION_H_

#include <memory>

#include "kantoku/config/v1/config.pb.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"

namespace kantoku::platform {

// An authenticator as the configuration wants it, whose defaults are filled in and which is valid:
// for the tokens of its issuers, whose keys it keeps up to date, or LocalAuthenticator where it
// names none. The clock outlives it.
std::shared_ptr<Authenticator> MakeAuthenticator(const config::v1::AuthConfig& config,
                                                 Clock& clock);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_AUTHENTICATION_H_
