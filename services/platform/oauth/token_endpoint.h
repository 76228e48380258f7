#ifndef KANTOKU_SERVICES_PLATFORM_OAUTH_TOKEN_ENDPOINT_H_
#define KANTOKU_SERVICES_PLATFORM_OAUTH_TOKEN_ENDPOINT_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/oauth/access_token.h"

namespace kantoku::platform {

// Who asks an issuer for tokens, and for which.
struct OAuthClient {
  std::string issuer;  // Its URL, as in `iss`.
  std::string client_id;
  std::string client_secret;    // Empty: a public client.
  bool secret_in_form = false;  // client_secret_post instead of client_secret_basic.
  // What the tokens are to be good for; empty: as the issuer sees fit.
  std::string scope;     // Several with a space between them.
  std::string audience;  // Of issuers that have a parameter of this name.
  std::string resource;  // RFC 8707.
};

struct TokenGrant {
  AccessToken access_token;
  // Replaces the one that was shown for it. Empty: there is none, or that one stays.
  std::string refresh_token;
};

// A login that waits for its user in a browser (RFC 8628).
struct DeviceLogin {
  std::string device_code;  // A secret.
  std::string user_code;    // To be shown; both are printable.
  std::string verification_uri;
  std::string verification_uri_complete;  // With the code in it; empty: there is none.
  absl::Duration interval;                // From one poll to the next, at least.
  absl::Time expires;
};

// The token endpoint of an issuer (RFC 6749), found by its discovery document.
//
// Asks once for what it is asked for. Thread-compatible; blocks as its HttpClient does, which
// outlives it, as does the clock. No status says anything of secrets and tokens; of what the issuer
// wrote they repeat addresses alone. Those of all methods:
//   UNAVAILABLE, ISSUER_UNREACHABLE      no answer, or none that makes sense: try again later
//   UNAUTHENTICATED, INVALID_CLIENT      the client or its secret is not known
//   UNAUTHENTICATED, INVALID_GRANT       what was shown for a token is good no more: log in again
//   INVALID_ARGUMENT, INVALID_SCOPE      scope, audience or resource are refused
//   INVALID_ARGUMENT, INVALID_URL        of the issuer, or in its discovery document
//   FAILED_PRECONDITION, GRANT_REFUSED   the issuer does not want this client to ask so
class TokenEndpoint {
 public:
  TokenEndpoint(OAuthClient client, HttpClient& http, Clock& clock);

  // For the client itself (RFC 6749, section 4.4).
  absl::StatusOr<TokenGrant> ByClientCredentials();
  // For whoever the refresh token was made for (RFC 6749, section 6). After UNAVAILABLE it may have
  // been used up: issuers that replace refresh tokens differ in whether they take one twice.
  absl::StatusOr<TokenGrant> ByRefreshToken(const std::string& refresh_token);

  // Begins a login. Most issuers give a refresh token only where the scope has offline_access in
  // it.
  absl::StatusOr<DeviceLogin> StartDeviceLogin();
  // Asks how it stands; absent: the user has not decided yet. Sets the interval until the next
  // poll, also after UNAVAILABLE. PERMISSION_DENIED, ACCESS_DENIED when the user refused;
  // DEADLINE_EXCEEDED, LOGIN_EXPIRED.
  absl::StatusOr<std::optional<TokenGrant>> PollDeviceLogin(DeviceLogin& login);

 private:
  using Form = std::vector<std::pair<std::string, std::string>>;

  // Sends a form, and who sends it, to the address of that name.
  absl::StatusOr<HttpAnswer> Send(const char* endpoint, Form form);
  absl::StatusOr<std::string> AddressOf(const char* endpoint);
  absl::StatusOr<TokenGrant> Ask(Form form);

  const OAuthClient client_;
  HttpClient& http_;
  Clock& clock_;
  std::map<std::string, std::string> addresses_;  // By name, as far as they were asked for.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_OAUTH_TOKEN_ENDPOINT_H_
