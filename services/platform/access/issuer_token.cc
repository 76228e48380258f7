#include "services/platform/access/issuer_token.h"

#include <utility>

#include "services/platform/identity/http_client.h"
#include "services/platform/oauth/refreshing_token.h"
#include "services/platform/oauth/stored_login.h"
#include "services/platform/oauth/token_endpoint.h"
#include "services/platform/random.h"

namespace kantoku::platform {
namespace {

// What a fetch needs, for as long as somebody fetches.
struct UserLogin {
  UserLogin(const std::string& path, Clock& clock)
      : http(MakeHttpClient({})), login(path, *http, clock) {}

  const std::unique_ptr<HttpClient> http;
  StoredLogin login;
};

struct Client {
  Client(OAuthClient client, Clock& clock)
      : http(MakeHttpClient({})), endpoint(std::move(client), *http, clock) {}

  const std::unique_ptr<HttpClient> http;
  TokenEndpoint endpoint;
};

}  // namespace

absl::StatusOr<std::shared_ptr<TokenSource>> OpenLoginToken(const std::string& login_file,
                                                            const TokenWait& wait, Clock& clock) {
  const auto user = std::make_shared<UserLogin>(login_file, clock);
  RefreshingTokenOptions options;
  options.fetch = [user] { return user->login.Next(); };
  options.stop = [user] { user->login.Stop(); };
  options.first_may_come_later = wait.may_come_later;
  options.random = SystemRandom;
  return OpenRefreshingToken(std::move(options), clock);
}

absl::StatusOr<std::shared_ptr<TokenSource>> OpenClientToken(const Access& access,
                                                             const TokenWait& wait, Clock& clock) {
  const auto client = std::make_shared<Client>(OAuthClient{.issuer = access.issuer,
                                                           .client_id = access.client_id,
                                                           .client_secret = access.client_secret,
                                                           .scope = access.scope,
                                                           .audience = access.audience,
                                                           .resource = access.resource},
                                               clock);
  RefreshingTokenOptions options;
  options.fetch = [client]() -> absl::StatusOr<AccessToken> {
    auto granted = client->endpoint.ByClientCredentials();
    if (!granted.ok()) return granted.status();
    return std::move(granted->access_token);
  };
  options.stop = [client] { client->http->Stop(); };
  options.first_may_come_later = wait.may_come_later;
  options.random = SystemRandom;
  return OpenRefreshingToken(std::move(options), clock);
}

}  // namespace kantoku::platform
