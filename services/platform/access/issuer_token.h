#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_ISSUER_TOKEN_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_ISSUER_TOKEN_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/token_wait.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

// Sources of access tokens of an issuer elsewhere, which fetch the first before they are there,
// unless it may come later, and others in time. An issuer has some seconds for each answer,
// whatever the patience. The clock outlives them.

// For the user who has logged in. Errors as StoredLogin::Next.
absl::StatusOr<std::shared_ptr<TokenSource>> OpenLoginToken(const std::string& login_file,
                                                            const TokenWait& wait, Clock& clock);

// For the client that the access file names. Errors as TokenEndpoint::ByClientCredentials.
absl::StatusOr<std::shared_ptr<TokenSource>> OpenClientToken(const Access& access,
                                                             const TokenWait& wait, Clock& clock);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_ISSUER_TOKEN_H_
