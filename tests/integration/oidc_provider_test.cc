// An issuer that nobody of us wrote: its tokens are taken, and tokens are got from it.
#include "tests/support/oidc_provider.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/config/defaults.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/oauth/stored_login.h"
#include "services/platform/oauth/token_endpoint.h"
#include "services/platform/server/authentication.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

using test::OidcProvider;

// A server that takes the tokens of a provider, and a client of that. Time stands still, at what it
// is when the test begins.
class Scene {
 public:
  Scene() {
    clock.JumpWall(absl::Now() - clock.Read().wall);
    config::v1::AuthConfig config;
    config.add_issuers()->set_issuer(provider.issuer());
    config.mutable_issuers(0)->add_audiences("kantoku");
    FillDefaults(config);
    authenticator = MakeAuthenticator(config, clock);
    REQUIRE(clock.AwaitWaiter(absl::Minutes(10)));  // It has keys, or soon tries again.
  }

  OAuthClient Client(const std::string& id, const std::string& secret = "") const {
    return {.issuer = provider.issuer(),
            .client_id = id,
            .client_secret = secret,
            .secret_in_form = id == "poster",
            .scope = secret.empty() ? "openid offline_access inputs:spawn" : "inputs:spawn",
            .resource = "urn:kantoku"};
  }
  TokenEndpoint Endpoint(const OAuthClient& client) { return {client, *http, clock}; }
  std::string Token() {
    const auto grant = Endpoint(Client("lab:1", OidcProvider::kSecret)).ByClientCredentials();
    INFO(grant.status());
    REQUIRE(grant.ok());
    return grant->access_token.text;
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Show(const std::string& token) {
    return authenticator->Authenticate(
        token, [] { return std::string("ipv4:127.0.0.1:1"); }, clock.Read());
  }
  // Again and again, while the keys that signed it are not there.
  absl::StatusOr<std::shared_ptr<const Identity>> ShowPatiently(const std::string& token) {
    auto shown = Show(token);
    if (absl::IsUnavailable(shown.status())) LetFetchKeys();
    const absl::Time give_up = absl::Now() + test::kPatience;
    while (absl::IsUnavailable(shown.status()) && absl::Now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      shown = Show(token);
    }
    return shown;
  }
  // As if it were long ago that they were fetched; for tokens it is the same time.
  void LetFetchKeys() {
    REQUIRE(clock.AwaitWaiter(absl::Minutes(10)));
    clock.Advance(absl::Seconds(10));
    clock.JumpWall(-absl::Seconds(10));
  }
  // Begins a login of anna, who has seen the code.
  DeviceLogin StartLogin(TokenEndpoint& endpoint) {
    auto login = endpoint.StartDeviceLogin();
    REQUIRE(login.ok());
    const auto pending = endpoint.PollDeviceLogin(*login);
    REQUIRE(pending.ok());
    CHECK_FALSE(pending->has_value());
    return *std::move(login);
  }

  FakeClock clock;
  OidcProvider provider;
  std::unique_ptr<HttpClient> http = MakeHttpClient({});
  std::shared_ptr<Authenticator> authenticator;
};

TEST_CASE("Tokens of a certified provider are taken, whichever algorithm signs them") {
  const std::string algorithm = GENERATE("RS256", "PS256", "ES256", "EdDSA");
  Scene scene;
  scene.provider.SignWith(algorithm);
  const auto identity = scene.ShowPatiently(scene.Token());
  REQUIRE(identity.ok());
  CHECK((*identity)->subject == "lab:1");
}

TEST_CASE("A provider that takes another key costs nobody a call") {
  Scene scene;
  const std::string former = scene.Token();
  REQUIRE(scene.ShowPatiently(former).ok());
  std::atomic<bool> done = false;
  std::atomic<int> refused = 0;
  std::thread caller([&] {
    for (; !done; std::this_thread::yield()) refused += scene.Show(former).ok() ? 0 : 1;
  });
  for (const char* const algorithm : {"ES256", "EdDSA", "PS256"}) {
    scene.provider.SignWith(algorithm);
    const std::string token = scene.Token();
    // Its key is fetched as soon as one may ask again.
    CHECK(ReasonOf(scene.Show(token).status()) == "KEYS_UNKNOWN");
    CHECK(scene.ShowPatiently(token).ok());
  }
  done = true;
  caller.join();
  CHECK(refused == 0);
}

TEST_CASE("A client gets tokens for itself, by either way to show its secret") {
  Scene scene;
  for (const OAuthClient& client :
       {scene.Client("lab:1", OidcProvider::kSecret), scene.Client("poster", "s3cret")}) {
    const auto grant = scene.Endpoint(client).ByClientCredentials();
    INFO(grant.status());
    REQUIRE(grant.ok());
    CHECK(grant->access_token.expires == scene.clock.Read().wall + absl::Minutes(1));
    CHECK(scene.ShowPatiently(grant->access_token.text).ok());
  }
  const auto wrong = scene.Endpoint(scene.Client("lab:1", "guess")).ByClientCredentials().status();
  CHECK(absl::IsUnauthenticated(wrong));
  CHECK(ReasonOf(wrong) == "INVALID_CLIENT");
  OAuthClient greedy = scene.Client("poster", "s3cret");
  greedy.resource = "urn:other thing";
  CHECK(ReasonOf(scene.Endpoint(greedy).ByClientCredentials().status()) == "INVALID_SCOPE");
}

TEST_CASE("A user logs in with a code, and stays so by refresh tokens that are good once") {
  Scene scene;
  TokenEndpoint endpoint = scene.Endpoint(scene.Client("cli"));
  DeviceLogin login = scene.StartLogin(endpoint);
  scene.provider.Approve(login.user_code);
  const auto polled = endpoint.PollDeviceLogin(login);
  REQUIRE(polled.ok());
  REQUIRE(polled->has_value());
  const TokenGrant first = **polled;
  REQUIRE(scene.ShowPatiently(first.access_token.text).ok());
  CHECK((*scene.Show(first.access_token.text))->subject == "anna");
  const auto second = endpoint.ByRefreshToken(first.refresh_token);
  REQUIRE(second.ok());
  CHECK(scene.ShowPatiently(second->access_token.text).ok());
  CHECK(second->refresh_token != first.refresh_token);
  CHECK(ReasonOf(endpoint.ByRefreshToken(first.refresh_token).status()) == "INVALID_GRANT");
}

TEST_CASE("A user who refuses a login has refused it") {
  Scene scene;
  TokenEndpoint endpoint = scene.Endpoint(scene.Client("cli"));
  DeviceLogin login = scene.StartLogin(endpoint);
  scene.provider.Refuse(login.user_code);
  CHECK(ReasonOf(endpoint.PollDeviceLogin(login).status()) == "ACCESS_DENIED");
}

TEST_CASE("Two programs that share a login keep it through many tokens") {
  Scene scene;
  const test::TempDir directory;
  TokenEndpoint endpoint = scene.Endpoint(scene.Client("cli"));
  DeviceLogin login = scene.StartLogin(endpoint);
  scene.provider.Approve(login.user_code);
  const auto grant = endpoint.PollDeviceLogin(login);
  REQUIRE(grant.ok());
  const std::string path = directory.File("login.json");
  Login kept = {.client = scene.Client("cli"),
                .refresh_token = (*grant)->refresh_token,
                .access_token = (*grant)->access_token};
  REQUIRE(StoredLogin(path, *scene.http, scene.clock).Save(kept).ok());
  const auto work = [&](std::vector<absl::StatusOr<AccessToken>>& tokens) {
    const auto http = MakeHttpClient({});
    StoredLogin own(path, *http, Clock::Real());
    for (auto& token : tokens) token = own.Next();
  };
  std::vector<absl::StatusOr<AccessToken>> mine(5);
  std::vector<absl::StatusOr<AccessToken>> theirs(5);
  std::thread other([&] { work(theirs); });
  work(mine);
  other.join();
  for (const auto* const tokens : {&mine, &theirs}) {
    for (const auto& token : *tokens) {
      REQUIRE(token.ok());
      CHECK(scene.ShowPatiently(token->text).ok());
    }
  }
}

}  // namespace
}  // namespace kantoku::platform
