#ifndef KANTOKU_TESTS_SUPPORT_OIDC_PROVIDER_H_
#define KANTOKU_TESTS_SUPPORT_OIDC_PROVIDER_H_

#include <memory>
#include <string>

#include "services/platform/identity/http_client.h"
#include "tests/support/process.h"

namespace kantoku::test {

// A real issuer that nobody of us wrote: oidc-provider, which is certified by the OpenID
// Foundation, in a process of its own. Its access tokens are good for a minute, for the audience
// `kantoku` and the scopes `inputs:spawn inputs:read`. Its clients are `lab:1`
// (client_secret_basic, the secret is kSecret), `poster` (client_secret_post, `s3cret`), and `cli`,
// which is public and has users log in on devices.
//
// Thread-compatible.
class OidcProvider {
 public:
  // Says, and fails, when it is not installed.
  OidcProvider();

  static constexpr char kSecret[] = "a+b%:c d/";

  // "http://127.0.0.1:4711", as in `iss`.
  const std::string& issuer() const { return issuer_; }

  // Access tokens are signed with a new key from now on: "RS256", "PS256", "ES256", "EdDSA". Those
  // before stay published.
  void SignWith(const std::string& algorithm);
  // What anna does in a browser with the code that her device shows.
  void Approve(const std::string& user_code);
  void Refuse(const std::string& user_code);

 private:
  void Tell(const std::string& command, const std::string& name, const std::string& value);

  std::unique_ptr<ChildProcess> process_;
  std::string issuer_;
  const std::unique_ptr<platform::HttpClient> http_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_OIDC_PROVIDER_H_
