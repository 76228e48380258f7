#ifndef KANTOKU_SERVICES_ISSUER_WEB_H_
#define KANTOKU_SERVICES_ISSUER_WEB_H_

#include <vector>

#include "services/issuer/issuer.h"
#include "services/issuer/token_desk.h"
#include "services/platform/server/http_route.h"

namespace kantoku::issuer {

// What the issuer says over HTTP, to the programs of its own computer:
//
//   GET  /oauth/jwks                              the keys that its tokens are signed with (RFC
//   7517) GET  /.well-known/oauth-authorization-server  where all this is (RFC 8414) GET
//   /.well-known/openid-configuration        the same, for who looks there POST /oauth/token a
//   token for the secret of a grant
//
// The last is OAuth's client credentials grant (RFC 6749, section 4.4): `client_id` is the id of a
// grant, `client_secret` its secret, and behind it, with a dot between them, the holder's own
// unless the grant is reusable. Errors are those of section 5.2, and 429 and 503 for what passes. A
// scope that is asked for is not looked at: the token has those of its grant, and the answer says
// which. A reply waits for the store for some seconds.
//
// The issuer and the desk outlive the routes.
std::vector<platform::HttpRoute> MakeIssuerRoutes(const Issuer& issuer, TokenDesk& desk);

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_WEB_H_
