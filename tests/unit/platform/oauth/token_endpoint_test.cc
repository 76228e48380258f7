#include "services/platform/oauth/token_endpoint.h"

#include <catch2/catch.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/oauth/fake_issuer.h"

namespace kantoku::platform {
namespace {

using Form = decltype(HttpPost::form);

constexpr char kGood[] = R"({"access_token":"access-1","token_type":"Bearer","expires_in":600})";

// A client with a secret that asks an issuer.
class Scene {
 public:
  explicit Scene(FakeIssuer& issuer) : issuer_(issuer) {}

  TokenEndpoint Endpoint() { return {client, issuer_, clock}; }

  OAuthClient client{.issuer = FakeIssuer::kUrl, .client_id = "lab", .client_secret = "s3cret"};
  FakeClock clock;

 private:
  FakeIssuer& issuer_;
};

// Its reason, when it says nothing that is secret.
std::string SilentReason(const absl::Status& status) {
  for (const char* const secret : {"s3cret", "refresh-", "access-", "device-", "\x1b"}) {
    CHECK_THAT(status.ToString(), !Catch::Contains(secret));
  }
  return ReasonOf(status);
}

TEST_CASE("A client gets a token for itself, with its secret in the header as RFC 6749 wants it") {
  FakeIssuer issuer(200, kGood);
  Scene scene(issuer);
  scene.client.client_id = "lab:1 é";
  scene.client.client_secret = "a+b%:c";
  scene.client.scope = "inputs:spawn inputs:read";
  scene.client.resource = "urn:kantoku";
  const auto grant = scene.Endpoint().ByClientCredentials();
  REQUIRE(grant.ok());
  CHECK(grant->access_token.text == "access-1");
  CHECK(grant->access_token.expires == scene.clock.Read().wall + absl::Minutes(10));
  CHECK(grant->refresh_token.empty());
  REQUIRE(issuer.posts().size() == 1);
  const HttpPost request = issuer.posts().front();
  CHECK(request.url == "https://id.example/token");
  CHECK(request.user == "lab%3A1%20%C3%A9");
  CHECK(request.password == "a%2Bb%25%3Ac");
  CHECK(request.form == Form{{"grant_type", "client_credentials"},
                             {"scope", "inputs:spawn inputs:read"},
                             {"resource", "urn:kantoku"}});
}

TEST_CASE("A client may send its secret in the form, and one without a secret its name alone") {
  FakeIssuer issuer(200, kGood);
  Scene scene(issuer);
  scene.client.secret_in_form = true;
  scene.client.audience = "kantoku";
  REQUIRE(scene.Endpoint().ByClientCredentials().ok());
  CHECK(issuer.posts().back().user.empty());
  CHECK(issuer.posts().back().form == Form{{"grant_type", "client_credentials"},
                                           {"audience", "kantoku"},
                                           {"client_id", "lab"},
                                           {"client_secret", "s3cret"}});
  scene.client.client_secret.clear();
  REQUIRE(scene.Endpoint().ByRefreshToken("refresh-1").ok());
  CHECK(issuer.posts().back().user.empty());
  CHECK(issuer.posts().back().form == Form{{"grant_type", "refresh_token"},
                                           {"refresh_token", "refresh-1"},
                                           {"client_id", "lab"}});
}

TEST_CASE("A refresh token may come back replaced, or not at all") {
  FakeIssuer issuer([](const HttpPost& request) {
    const bool first = FieldOf(request, "refresh_token") == "refresh-1";
    return HttpAnswer{200, first ? R"({"access_token":"access-2","token_type":"bEARER",
                                      "expires_in":60.5,"refresh_token":"refresh-2"})"
                                 : R"({"access_token":"access-3","token_type":"bearer"})"};
  });
  Scene scene(issuer);
  TokenEndpoint endpoint = scene.Endpoint();
  const auto replaced = endpoint.ByRefreshToken("refresh-1");
  REQUIRE(replaced.ok());
  CHECK(replaced->refresh_token == "refresh-2");
  CHECK(replaced->access_token.expires == scene.clock.Read().wall + absl::Seconds(60));
  const auto kept = endpoint.ByRefreshToken("refresh-2");
  REQUIRE(kept.ok());
  CHECK(kept->refresh_token.empty());
  // Of a token whose issuer does not say how long it is good.
  CHECK(kept->access_token.expires == scene.clock.Read().wall + absl::Minutes(5));
}

TEST_CASE("An answer that makes no sense is none, and nothing of it is repeated") {
  const std::string body = GENERATE(
      as<std::string>(), "<html>log in to the access-point</html>", "", "null", R"(["access-1"])",
      R"({"access_token":"access-1","token_type":"Bearer")",
      R"({"token_type":"Bearer","expires_in":600})", R"({"access_token":"access-1"})",
      R"({"access_token":"access-1","token_type":"DPoP"})",
      R"({"access_token":"access-1","token_type":["Bearer"]})",
      R"({"access_token":"","token_type":"Bearer"})", R"({"access_token":7,"token_type":"Bearer"})",
      R"({"access_token":"access-1\nx: y","token_type":"Bearer"})",
      R"({"access_token":"access-1 x","token_type":"Bearer"})",
      R"({"access_token":"access-é","token_type":"Bearer"})",
      R"({"access_token":"access-1","access_token":"access-2","token_type":"Bearer"})",
      R"({"access_token":"access-1","token_type":"Bearer","expires_in":-1})",
      R"({"access_token":"access-1","token_type":"Bearer","expires_in":0})",
      R"({"access_token":"access-1","token_type":"Bearer","expires_in":1e18})",
      R"({"access_token":"access-1","token_type":"Bearer","expires_in":1e400})",
      R"({"access_token":"access-1","token_type":"Bearer","expires_in":"600"})",
      R"({"access_token":"access-1","token_type":"Bearer","refresh_token":7})",
      R"({"access_token":"access-1","token_type":"Bearer","refresh_token":"refresh-\u0000"})",
      R"({"access_token":")" + std::string(8'193, 'x') + R"(","token_type":"Bearer"})");
  FakeIssuer issuer(200, body);
  Scene scene(issuer);
  const auto grant = scene.Endpoint().ByRefreshToken("refresh-1");
  CHECK(absl::IsUnavailable(grant.status()));
  CHECK(SilentReason(grant.status()) == "ISSUER_UNREACHABLE");
}

TEST_CASE("Each refusal of an issuer says what can be done about it") {
  struct Row {
    std::string error;
    absl::StatusCode code;
    std::string reason;
  };
  const auto row = GENERATE(values<Row>({
      {"invalid_client", absl::StatusCode::kUnauthenticated, "INVALID_CLIENT"},
      {"unauthorized_client", absl::StatusCode::kUnauthenticated, "INVALID_CLIENT"},
      {"invalid_grant", absl::StatusCode::kUnauthenticated, "INVALID_GRANT"},
      {"invalid_scope", absl::StatusCode::kInvalidArgument, "INVALID_SCOPE"},
      {"invalid_target", absl::StatusCode::kInvalidArgument, "INVALID_SCOPE"},
      {"access_denied", absl::StatusCode::kPermissionDenied, "ACCESS_DENIED"},
      {"expired_token", absl::StatusCode::kDeadlineExceeded, "LOGIN_EXPIRED"},
      {"invalid_request", absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED"},
      {"unsupported_grant_type", absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED"},
      {"temporarily_unavailable", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE"},
      {"server_error", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE"},
      {"slow_down", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE"},
      {"client s3cret is unknown", absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED"},
  }));
  const int status = GENERATE(200, 400, 401, 403);
  FakeIssuer issuer(status, nlohmann::json{{"error", row.error},
                                           {"error_description", "no s3cret for refresh-1"},
                                           {"error_uri", "https://id.example/?device-1"}}
                                .dump());
  Scene scene(issuer);
  const auto refused = scene.Endpoint().ByRefreshToken("refresh-1").status();
  CHECK(refused.code() == row.code);
  CHECK(SilentReason(refused) == row.reason);
  CHECK(issuer.posts().size() == 1);
}

TEST_CASE("Who answers nothing of OAuth, sends elsewhere or is not there may be asked again") {
  struct Row {
    int status;
    std::string body;
  };
  const auto row = GENERATE(values<Row>({{404, "<html>s3cret"},
                                         {401, R"({"error":7})"},
                                         {400, R"(["s3cret"])"},
                                         {429, R"({"error":"too_many s3cret"})"},
                                         {204, ""},
                                         {302, kGood},
                                         {307, kGood},
                                         {500, R"({"error":"invalid_client"})"},
                                         {503, "s3cret"}}));
  FakeIssuer issuer(row.status, row.body);
  Scene scene(issuer);
  const auto refused = scene.Endpoint().ByClientCredentials().status();
  CHECK(absl::IsUnavailable(refused));
  CHECK(SilentReason(refused) == "ISSUER_UNREACHABLE");
  CHECK(issuer.posts().size() == 1);
  scene.client.issuer = "https://other.example";
  CHECK(SilentReason(scene.Endpoint().ByClientCredentials().status()) == "ISSUER_UNREACHABLE");
}

TEST_CASE("An issuer whose token endpoint moves is found there after a failure") {
  FakeIssuer issuer([](const HttpPost& request) {
    return request.url == "https://id.example/new" ? HttpAnswer{200, kGood}
                                                   : HttpAnswer{404, "gone"};
  });
  Scene scene(issuer);
  TokenEndpoint endpoint = scene.Endpoint();
  CHECK_FALSE(endpoint.ByClientCredentials().ok());
  issuer.Discover("token_endpoint", "https://id.example/new");
  CHECK(endpoint.ByClientCredentials().ok());
}

TEST_CASE("No secret is sent to an address that an issuer should not name") {
  FakeIssuer issuer(200, kGood);
  Scene scene(issuer);
  const std::string name = GENERATE("issuer", "token_endpoint");
  const nlohmann::json value = GENERATE(values<nlohmann::json>(
      {"http://id.example/token", "file:///etc/passwd", "javascript:alert(1)",
       "http://127.0.0.1/token", "https://id.example/token?x=y", "", 7, nullptr}));
  issuer.Discover(name, value);
  const auto refused = scene.Endpoint().ByClientCredentials().status();
  CHECK((SilentReason(refused) == "ISSUER_UNREACHABLE" || ReasonOf(refused) == "INVALID_URL"));
  CHECK(issuer.posts().empty());
}

constexpr char kStarted[] = R"({"device_code":"device-1","user_code":"WDJB-MJHT",
    "verification_uri":"https://id.example/device","interval":2,"expires_in":600,
    "verification_uri_complete":"https://id.example/device?user_code=WDJB-MJHT"})";

// What a login that goes on is told, in turn.
class RunningLogin {
 public:
  explicit RunningLogin(std::vector<HttpAnswer> answers)
      : answers_(std::move(answers)),
        issuer([this](const HttpPost& request) {
          if (request.url == "https://id.example/device") return HttpAnswer{200, kStarted};
          return answers_[std::min(polls_++, answers_.size() - 1)];
        }),
        scene(issuer),
        endpoint(scene.Endpoint()),
        login(*endpoint.StartDeviceLogin()) {}

 private:
  const std::vector<HttpAnswer> answers_;
  size_t polls_ = 0;  // One at a time.

 public:
  FakeIssuer issuer;
  Scene scene;
  TokenEndpoint endpoint;
  DeviceLogin login;
};

TEST_CASE("A login on a device waits for its user, as slowly as the issuer wants") {
  RunningLogin scene({{400, R"({"error":"authorization_pending"})"},
                      {400, R"({"error":"slow_down"})"},
                      {403, R"({"error":"authorization_pending"})"},
                      {200, R"({"access_token":"access-1","token_type":"Bearer","expires_in":60,
                         "refresh_token":"refresh-1"})"}});
  DeviceLogin& login = scene.login;
  CHECK(login.user_code == "WDJB-MJHT");
  CHECK(login.verification_uri == "https://id.example/device");
  CHECK(login.verification_uri_complete == "https://id.example/device?user_code=WDJB-MJHT");
  CHECK(login.interval == absl::Seconds(2));
  CHECK(login.expires == scene.scene.clock.Read().wall + absl::Minutes(10));
  const auto pending = [&] {
    const auto polled = scene.endpoint.PollDeviceLogin(login);
    return polled.ok() && !polled->has_value();
  };
  CHECK(pending());
  CHECK(login.interval == absl::Seconds(2));
  CHECK(pending());
  CHECK(login.interval == absl::Seconds(7));
  CHECK(pending());
  CHECK(login.interval == absl::Seconds(7));
  const auto grant = scene.endpoint.PollDeviceLogin(login);
  REQUIRE(grant.ok());
  REQUIRE(grant->has_value());
  CHECK((*grant)->access_token.text == "access-1");
  CHECK((*grant)->refresh_token == "refresh-1");
  CHECK(scene.issuer.posts().back().form ==
        Form{{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
             {"device_code", "device-1"}});
}

TEST_CASE("A login on a device ends when it is refused or its time is over") {
  RunningLogin refused({{400, R"({"error":"access_denied"})"}});
  CHECK(SilentReason(refused.endpoint.PollDeviceLogin(refused.login).status()) == "ACCESS_DENIED");
  RunningLogin expired({{400, R"({"error":"expired_token"})"}});
  CHECK(SilentReason(expired.endpoint.PollDeviceLogin(expired.login).status()) == "LOGIN_EXPIRED");
  RunningLogin late({{400, R"({"error":"authorization_pending"})"}});
  late.scene.clock.Advance(absl::Minutes(10));
  CHECK(SilentReason(late.endpoint.PollDeviceLogin(late.login).status()) == "LOGIN_EXPIRED");
  CHECK(late.issuer.posts().size() == 1);
}

TEST_CASE("An issuer that cannot be reached during a login is asked ever less often") {
  RunningLogin scene({{503, ""}});
  for (const int seconds : {4, 8, 16, 32, 60, 60}) {
    CHECK(absl::IsUnavailable(scene.endpoint.PollDeviceLogin(scene.login).status()));
    CHECK(scene.login.interval == absl::Seconds(seconds));
  }
}

TEST_CASE("Nothing is shown to a user that is no code and no web page") {
  const auto [name, value] = GENERATE(table<std::string, nlohmann::json>({
      {"device_code", nullptr},
      {"device_code", ""},
      {"user_code", nullptr},
      {"user_code", "\x1b[2J"},
      {"user_code", "a\nb"},
      {"user_code", std::string(65, 'x')},
      {"verification_uri", nullptr},
      {"verification_uri", "javascript:alert(1)"},
      {"verification_uri", "http://id.example/device"},
      {"verification_uri", "https://id.example/\x1b[2J"},
      {"verification_uri", "https://user@id.example/"},
      {"verification_uri_complete", "file:///etc/passwd?x"},
      {"interval", -1},
      {"interval", 1e9},
      {"interval", "5"},
      {"expires_in", 0},
      {"expires_in", 1e9},
  }));
  nlohmann::json started = nlohmann::json::parse(kStarted);
  started[name] = value;
  FakeIssuer issuer(200, started.dump());
  Scene scene(issuer);
  const auto login = scene.Endpoint().StartDeviceLogin();
  CHECK(absl::IsUnavailable(login.status()));
  CHECK(SilentReason(login.status()) == "ISSUER_UNREACHABLE");
}

}  // namespace
}  // namespace kantoku::platform
