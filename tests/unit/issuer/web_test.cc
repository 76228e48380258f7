#include "services/issuer/web.h"

#include <prometheus/registry.h>

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/secret.h"
#include "services/platform/config/defaults.h"
#include "services/platform/config/validate.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/server/authentication.h"
#include "services/platform/server/metrics_server.h"
#include "services/platform/status.h"
#include "tests/unit/issuer/desk_scene.h"

namespace kantoku::issuer {
namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

// The issuer on the web server of a program.
struct Scene : DeskScene {
  std::string Url(const std::string& path) const {
    return absl::StrCat("http://", server->address().ToString(), path);
  }
  platform::HttpAnswer Post(const Form& form, const std::string& user = "",
                            const std::string& password = "") const {
    const auto answer = http->Post({.url = Url("/oauth/token"),
                                    .form = form,
                                    .user = platform::FormEncode(user),
                                    .password = platform::FormEncode(password)});
    REQUIRE(answer.ok());
    return *answer;
  }
  // Status and error of an answer that is none: "401 invalid_client".
  std::string Why(const Form& form, const std::string& user = "",
                  const std::string& password = "") const {
    const auto answer = Post(form, user, password);
    return absl::StrCat(answer.status, " ",
                        nlohmann::json::parse(answer.body).value("error", "none"));
  }

  prometheus::Registry registry;
  const std::unique_ptr<platform::MetricsServer> server = *platform::MetricsServer::Start(
      {.host = "127.0.0.1", .port = 0}, registry, [] { return true; },
      MakeIssuerRoutes(issuer(), desk()));
  const std::unique_ptr<platform::HttpClient> http = platform::MakeHttpClient({});
};

const std::pair<std::string, std::string> kGrantType = {"grant_type", "client_credentials"};

TEST_CASE("What the issuer says about itself leads to its keys and to its tokens") {
  const Scene scene;
  for (const char* const name : {"oauth-authorization-server", "openid-configuration"}) {
    const auto text = scene.http->Get(scene.Url(absl::StrCat("/.well-known/", name)));
    REQUIRE(text.ok());
    const auto metadata = nlohmann::json::parse(*text);
    CHECK(metadata["issuer"] == kIssuerName);
    CHECK(metadata["token_endpoint"] == scene.Url("/oauth/token"));
    CHECK(scene.http->Get(metadata["jwks_uri"]).value() == scene.issuer().KeySetText());
  }
}

TEST_CASE("A program gets a token for a grant, whichever way it shows who it is") {
  Scene scene;
  const auto fleet = scene.Create(/*reusable=*/true);
  const std::string id = ToText(fleet.grant.id);
  const auto in_header = scene.Post({kGrantType}, id, fleet.secret);
  const auto in_form = scene.Post({kGrantType, {"client_id", id}, {"client_secret", fleet.secret}});
  for (const auto& answer : {in_header, in_form}) {
    REQUIRE(answer.status == 200);
    const auto body = nlohmann::json::parse(answer.body);
    CHECK(body["token_type"] == "Bearer");
    CHECK(body["expires_in"] == 600);
    CHECK(body["scope"] == "inputs:read");
    CHECK(body["access_token"].get<std::string>().starts_with("eyJ"));
  }
}

TEST_CASE("A grant for one holder is taken with the holder's own secret behind its own") {
  Scene scene;
  const auto created = scene.Create(/*reusable=*/false);
  const std::string id = ToText(created.grant.id);
  const std::string mine = created.secret + "." + platform::MakeSecret();
  CHECK(scene.Why({kGrantType}, id, created.secret) == "401 invalid_client");
  CHECK(scene.Post({kGrantType}, id, mine).status == 200);
  CHECK(scene.Post({kGrantType}, id, mine).status == 200);
  CHECK(scene.Why({kGrantType}, id, created.secret + "." + platform::MakeSecret()) ==
        "401 invalid_client");
}

TEST_CASE("What is wrong with a question is said as OAuth says it") {
  Scene scene;
  const auto fleet = scene.Create(/*reusable=*/true);
  const std::string id = ToText(fleet.grant.id);
  CHECK(scene.Why({}, id, fleet.secret) == "400 invalid_request");
  CHECK(scene.Why({kGrantType, kGrantType}, id, fleet.secret) == "400 invalid_request");
  CHECK(scene.Why({{"grant_type", "password"}}, id, fleet.secret) == "400 unsupported_grant_type");
  CHECK(scene.Why({kGrantType}) == "401 invalid_client");
  CHECK(scene.Why({kGrantType}, "anna", fleet.secret) == "401 invalid_client");
  CHECK(scene.Why({kGrantType}, id, platform::MakeSecret()) == "401 invalid_client");
  CHECK(scene.Why({kGrantType, {"client_secret", fleet.secret}}, id, fleet.secret) ==
        "401 invalid_client");  // Who says it twice.
  CHECK(scene.Why({kGrantType, {"client_id", "other"}}, id, fleet.secret) == "401 invalid_client");
  CHECK(scene.http->Get(scene.Url("/oauth/token")).status().code() ==
        absl::StatusCode::kUnavailable);
}

TEST_CASE("Wrong secrets over HTTP are told, and keep nobody from a good one") {
  Scene scene;
  const auto fleet = scene.Create(/*reusable=*/true);
  const std::string id = ToText(fleet.grant.id);
  for (int tries = 0; tries < 250; ++tries) {
    REQUIRE(scene.Why({kGrantType}, id, platform::MakeSecret()) == "401 invalid_client");
  }
  CHECK(scene.Why({kGrantType}, id, fleet.secret) == "200 none");
  CHECK(scene.audit.all().front() == "audit.grant_refused peer=127.0.0.1 reason=INVALID_GRANT");
}

TEST_CASE("A question that the server does not get to, as it stops, is answered all the same") {
  Scene scene;
  const auto fleet = scene.Create(/*reusable=*/true);
  scene.Stop();
  // Which is no answer for the client.
  CHECK(absl::IsUnavailable(scene.http
                                ->Post({.url = scene.Url("/oauth/token"),
                                        .form = {kGrantType},
                                        .user = ToText(fleet.grant.id),
                                        .password = fleet.secret})
                                .status()));
}

TEST_CASE("A service of the same computer takes the tokens when its configuration names the keys") {
  Scene scene;
  config::v1::Config config;
  auto& trusted = *config.mutable_auth()->add_issuers();
  trusted.set_issuer(kIssuerName);
  trusted.set_jwks_uri(scene.Url("/oauth/jwks"));
  trusted.add_audiences(kAudience);
  platform::FillDefaults(config);
  REQUIRE(platform::Validate(config).ok());
  const auto authenticator = platform::MakeAuthenticator(config.auth(), platform::Clock::Real());

  const auto fleet = scene.Create(/*reusable=*/true);
  const auto answer = scene.Post({kGrantType}, ToText(fleet.grant.id), fleet.secret);
  const std::string token = nlohmann::json::parse(answer.body)["access_token"];
  // The token's times are those of the scene; the keys come in time.
  const auto ask = [&] {
    return authenticator->Authenticate(
        token, [] { return std::string("ipv4:127.0.0.1:1"); },
        {.wall = scene.clock.Read().wall, .steady = platform::Clock::Real().Read().steady});
  };
  auto identity = ask();
  platform::Clock& clock = platform::Clock::Real();
  const absl::Duration deadline = clock.Read().steady + absl::Seconds(30);
  while (platform::ReasonOf(identity.status()) == "KEYS_UNKNOWN") {
    REQUIRE(clock.Read().steady < deadline);
    std::this_thread::yield();
    identity = ask();
  }
  REQUIRE(identity.ok());
  CHECK((*identity)->subject == "anna");
  CHECK((*identity)->client_id == "laptop");
  CHECK((*identity)->scopes.Allows(platform::Verb::kReadTasks));
}

}  // namespace
}  // namespace kantoku::issuer
