#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_OWN_ISSUER_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_OWN_ISSUER_H_

#include <string>

#include "absl/time/time.h"
#include "services/platform/identity/authenticator.h"

namespace kantoku::platform {

// An issuer inside the program whose tokens its server takes.
//
// Thread-safe.
class OwnIssuer : public Authenticator {
 public:
  // An access token for whoever may read the data directory: the user `local`, who may do
  // everything. Good for a day from `now`.
  virtual std::string AdministratorToken(absl::Time now) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_OWN_ISSUER_H_
