#include "services/platform/identity/jwt_authenticator.h"

#include <openssl/hmac.h>

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/token_maker.h"

namespace kantoku::platform {
namespace {

using nlohmann::json;
using test::Base64Url;
using test::Claims;
using test::KeySetOf;
using test::TokenMaker;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// Both clocks at this time.
Now At(absl::Time wall) { return {.wall = wall, .steady = wall - kNow + absl::Hours(100)}; }

IssuerRules Rules() { return {.issuer = test::kIssuer, .audiences = {test::kAudience}}; }

// An authenticator that trusts one issuer, with the keys of one maker.
class Scene {
 public:
  explicit Scene(const std::string& algorithm = "ES256", const IssuerRules& rules = Rules())
      : maker(algorithm), authenticator({.issuers = {rules}}, [this](size_t) { ++wanted; }) {
    REQUIRE(authenticator.SetKeys(0, KeySetOf({maker.Jwk()}), At(kNow)).ok());
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Show(
      const std::string& token, absl::Time now = kNow,
      const std::string& peer = "ipv4:10.0.0.1:7") {
    return authenticator.Authenticate(
        token, [&] { return peer; }, At(now));
  }
  // "anna", or the reason of the refusal.
  std::string Who(const std::string& token, absl::Time now = kNow,
                  const std::string& peer = "ipv4:10.0.0.1:7") {
    const auto identity = Show(token, now, peer);
    return identity.ok() ? (*identity)->subject : ReasonOf(identity.status());
  }
  // As Who, of a token with this claim changed; null takes it out.
  std::string WhoWith(const std::string& claim, const json& value) {
    json claims = Claims(kNow);
    claims[claim] = value;
    if (value.is_null()) claims.erase(claim);
    return Who(maker.Sign(claims));
  }
  std::string WhoWithHeader(const std::string& member, const json& value) {
    json header = maker.Header();
    header[member] = value;
    if (value.is_null()) header.erase(member);
    return Who(maker.Sign(header, Claims(kNow)));
  }

  TokenMaker maker;
  int wanted = 0;
  JwtAuthenticator authenticator;
};

TEST_CASE("A token of each algorithm says who its bearer is and what that may do") {
  Scene scene(GENERATE("RS256", "PS256", "ES256", "EdDSA"));
  json claims = Claims(kNow);
  claims["scope"] = "inputs:spawn inputs:pull:segment-*";
  claims["kantoku_namespaces"] = {"lab", "default"};
  claims["kantoku_labels"] = {{"site", "vienna"}};
  const auto identity = scene.Show(scene.maker.Sign(claims));
  REQUIRE(identity.ok());
  CHECK((*identity)->subject == "anna");
  CHECK((*identity)->client_id == "laptop");
  CHECK((*identity)->token_id == "token-1");
  CHECK((*identity)->scopes.Allows(Verb::kPull, "segment-cells"));
  CHECK_FALSE((*identity)->scopes.Allows(Verb::kAdmin));
  CHECK((*identity)->MayUse("lab"));
  CHECK_FALSE((*identity)->MayUse("other"));
  CHECK((*identity)->labels == std::map<std::string, std::string>{{"trusted/site", "vienna"}});
  CHECK((*identity)->expires == kNow + absl::Seconds(630));
}

TEST_CASE("A token that names no namespaces is for `default`, and one for all says so") {
  Scene scene;
  CHECK((*scene.Show(scene.maker.Sign(Claims(kNow))))->MayUse("default"));
  CHECK_FALSE((*scene.Show(scene.maker.Sign(Claims(kNow))))->MayUse("lab"));
  json claims = Claims(kNow);
  claims["kantoku_namespaces"] = "*";
  CHECK((*scene.Show(scene.maker.Sign(claims)))->IsAdminOf("lab"));
  claims["kantoku_namespaces"] = json::array();
  CHECK_FALSE((*scene.Show(scene.maker.Sign(claims)))->MayUse("default"));
}

TEST_CASE("Ed25519 has two names") {
  Scene scene("EdDSA");
  CHECK(scene.WhoWithHeader("alg", "Ed25519") == "anna");
}

TEST_CASE("A token that is not yet valid, or no more, is refused, but for the leeway") {
  Scene scene;
  const std::string token = scene.maker.Sign(Claims(kNow));
  CHECK(scene.Who(token, kNow + absl::Milliseconds(629'999)) == "anna");
  CHECK(scene.Who(token, kNow + absl::Seconds(630)) == "TOKEN_EXPIRED");  // Though it is known.
  const std::string other = scene.maker.Sign(Claims(kNow));
  CHECK(scene.Who(other, kNow - absl::Seconds(91)) == "INVALID_TOKEN");  // Made in the future.
  CHECK(scene.Who(other, kNow - absl::Seconds(90)) == "anna");           // As it is later.
  const int64_t now = absl::ToUnixSeconds(kNow);
  CHECK(scene.WhoWith("nbf", now + 30) == "anna");
  CHECK(scene.WhoWith("nbf", now + 31) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("iat", now + 31) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("exp", now - 60 + 86'400) == "anna");
  CHECK(scene.WhoWith("exp", now - 60 + 86'401) == "INVALID_TOKEN");  // For longer than a day.
}

TEST_CASE("Times that are none are refused") {
  Scene scene;
  const json value = GENERATE(json(), json("1800000600"), json(-1), json(1e18), json(true),
                              json(uint64_t{1} << 63), json::array({1}), json(253'402'300'800));
  CAPTURE(value.dump());
  CHECK(scene.WhoWith("exp", value) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("iat", value) == "INVALID_TOKEN");
  if (!value.is_null()) CHECK(scene.WhoWith("nbf", value) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("exp", 1'800'000'600.5) == "anna");
}

TEST_CASE("The issuer is the one that is trusted, byte for byte") {
  Scene scene;
  const json other = GENERATE(json(), json("https://id.example/"), json("https://ID.example"),
                              json("https://id.example.evil"), json("https://id.exampl"), json(""),
                              json::array({"https://id.example"}), json(1));
  CAPTURE(other.dump());
  CHECK(scene.WhoWith("iss", other) == "INVALID_TOKEN");
}

TEST_CASE("The audience names this service, alone or among others") {
  Scene scene;
  CHECK(scene.WhoWith("aud", {"other", "kantoku"}) == "anna");
  const json other =
      GENERATE(json(), json("Kantoku"), json("kantoku2"), json(""), json::array(),
               json::array({"other"}), json::array({"kantoku", 1}), json(1),
               json(std::vector<std::string>(33, "kantoku")), json{{"kantoku", "kantoku"}});
  CAPTURE(other.dump());
  CHECK(scene.WhoWith("aud", other) == "INVALID_TOKEN");
}

TEST_CASE("A token for something else than access is refused by its type") {
  Scene scene;
  const json good = GENERATE(json("AT+JWT"), json("application/at+jwt"));
  CHECK(scene.WhoWithHeader("typ", good) == "anna");
  const json bad = GENERATE(json(), json("JWT"), json("logout+jwt"), json("dpop+jwt"), json(1),
                            json("at+jwt "), json("application/"), json(""));
  CAPTURE(bad.dump());
  CHECK(scene.WhoWithHeader("typ", bad) == "INVALID_TOKEN");
}

TEST_CASE("An issuer that types its tokens JWT is taken where that was allowed, ID tokens not") {
  IssuerRules rules = Rules();
  rules.plain_jwt = true;
  Scene scene("ES256", rules);
  CHECK(scene.WhoWithHeader("typ", "JWT") == "anna");
  CHECK(scene.WhoWithHeader("typ", nullptr) == "anna");
  json claims = Claims(kNow);
  claims["nonce"] = "n";
  json header = scene.maker.Header();
  header["typ"] = "JWT";
  CHECK(scene.Who(scene.maker.Sign(header, claims)) == "INVALID_TOKEN");
}

TEST_CASE("Whoever names no subject, app or token id in plain words is refused") {
  Scene scene;
  const std::string claim = GENERATE("sub", "client_id", "jti");
  const json value = GENERATE(json(), json(""), json(1), json(std::string(256, 'x')),
                              json(std::string("a\0b", 3)), json("a\nb"), json::array({"anna"}));
  CAPTURE(claim, value.dump());
  CHECK(scene.WhoWith(claim, value) == "INVALID_TOKEN");
}

TEST_CASE("Scopes are words in a text or an array, bounded, and none allow nothing") {
  Scene scene;
  CHECK(scene.WhoWith("scope", {"inputs:spawn", "admin"}) == "anna");
  CHECK(scene.WhoWith("scope", nullptr) == "anna");
  CHECK(scene.WhoWith("scope", {"admin", 1}) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("scope", 1) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("scope", std::string(4'097, 'x')) == "INVALID_TOKEN");
}

TEST_CASE("Namespaces and labels of a wrong shape are refused") {
  Scene scene;
  CHECK(scene.WhoWith("kantoku_namespaces", {1}) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("kantoku_namespaces", "") == "INVALID_TOKEN");
  CHECK(scene.WhoWith("kantoku_labels", {{"gpu", true}}) == "INVALID_TOKEN");
  CHECK(scene.WhoWith("kantoku_labels", "gpu") == "INVALID_TOKEN");
}

TEST_CASE("alg none, in whatever letters, is refused") {
  Scene scene;
  const json algorithm = GENERATE(json("none"), json("None"), json("nOnE"), json(""), json(),
                                  json(1), json::array({"ES256"}), json("es256"));
  json header = scene.maker.Header();
  header["alg"] = algorithm;
  const std::string unsigned_text = Base64Url(header.dump()) + "." + Base64Url(Claims(kNow).dump());
  CHECK(scene.Who(unsigned_text + ".") == "INVALID_TOKEN");
  CHECK(scene.Who(unsigned_text + ".AA") == "INVALID_TOKEN");
  CHECK(scene.WhoWithHeader("alg", algorithm) == "INVALID_TOKEN");
}

TEST_CASE("An HMAC that was made with the public key is no signature") {
  const std::string kind = GENERATE("RS256", "ES256");
  Scene scene(kind);
  const std::string secret =
      GENERATE(true, false) ? scene.maker.PublicPem() : scene.maker.Jwk().dump();
  json header = scene.maker.Header();
  header["alg"] = GENERATE("HS256", "RS256", "ES256");
  const std::string text = Base64Url(header.dump()) + "." + Base64Url(Claims(kNow).dump());
  unsigned char code[32];
  unsigned size = sizeof(code);
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), code, &size);
  const std::string token = text + "." + Base64Url({reinterpret_cast<char*>(code), size});
  CHECK(scene.Who(token) == "INVALID_TOKEN");
}

TEST_CASE("A key signs with its own algorithm only") {
  Scene scene("RS256");
  TokenMaker other("PS256");
  // Signed as PS256 says, under a key for RS256.
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({other.Jwk()}), At(kNow)).ok());
  CHECK(scene.Who(other.Sign(Claims(kNow))) == "anna");
  json jwk = other.Jwk();
  jwk["alg"] = "RS256";
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({jwk}), At(kNow)).ok());
  CHECK(scene.Who(other.Sign(Claims(kNow))) == "INVALID_TOKEN");
}

TEST_CASE("A signature that was changed, cut, prolonged or left out is refused") {
  const std::string algorithm = GENERATE("RS256", "PS256", "ES256", "EdDSA");
  Scene scene(algorithm);
  const std::string token = scene.maker.Sign(Claims(kNow));
  const std::string text = token.substr(0, token.rfind('.'));
  const std::string signature = scene.maker.Signature(text);
  const auto with = [&](const std::string& other) { return text + "." + Base64Url(other); };
  REQUIRE(scene.Who(with(signature)) == "anna");
  std::string flipped = signature;
  flipped[signature.size() / 2] = static_cast<char>(flipped[signature.size() / 2] ^ 1);
  CHECK(scene.Who(with(flipped)) == "INVALID_TOKEN");
  CHECK(scene.Who(with(signature.substr(1))) == "INVALID_TOKEN");
  CHECK(scene.Who(with(signature + '\0')) == "INVALID_TOKEN");
  CHECK(scene.Who(with(std::string(signature.size(), '\0'))) == "INVALID_TOKEN");
  CHECK(scene.Who(text + ".") == "INVALID_TOKEN");
  CHECK(scene.Who(with(TokenMaker(algorithm).Signature(text))) == "INVALID_TOKEN");
}

TEST_CASE("Claims that were changed are refused") {
  Scene scene;
  const std::string token = scene.maker.Sign(Claims(kNow));
  json claims = Claims(kNow);
  claims["sub"] = "ben";
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  CHECK(scene.Who(token.substr(0, first + 1) + Base64Url(claims.dump()) + token.substr(second)) ==
        "INVALID_TOKEN");
}

TEST_CASE("A header that asks for more than a signature is refused") {
  Scene scene;
  CHECK(scene.WhoWithHeader("crit", {"exp"}) == "INVALID_TOKEN");
  CHECK(scene.WhoWithHeader("crit", json::array()) == "INVALID_TOKEN");
  CHECK(scene.WhoWithHeader("b64", false) == "INVALID_TOKEN");
  CHECK(scene.WhoWithHeader("zip", "DEF") == "INVALID_TOKEN");
  CHECK(scene.WhoWithHeader("enc", "A128GCM") == "INVALID_TOKEN");
}

TEST_CASE("Keys that a token brings along are not looked at") {
  Scene scene;
  TokenMaker attacker("ES256");
  json header = attacker.Header();
  header["jwk"] = attacker.Jwk();
  header["jku"] = "http://127.0.0.1:1/jwks";
  header["x5u"] = "http://127.0.0.1:1/cert";
  CHECK(scene.Who(attacker.Sign(header, Claims(kNow))) == "INVALID_TOKEN");
  header["kid"] = "mine";
  CHECK(scene.Who(attacker.Sign(header, Claims(kNow))) == "INVALID_TOKEN");
}

TEST_CASE("A member that stands twice is refused, in the header and among the claims") {
  Scene scene;
  const std::string header = scene.maker.Header().dump();
  const std::string claims = Claims(kNow).dump();
  REQUIRE(scene.Who(scene.maker.SignTexts(header, claims)) == "anna");
  CHECK(scene.Who(scene.maker.SignTexts(R"({"alg":"none",)" + header.substr(1), claims)) ==
        "INVALID_TOKEN");
  CHECK(scene.Who(scene.maker.SignTexts(header, R"({"sub":"ben",)" + claims.substr(1))) ==
        "INVALID_TOKEN");
  CHECK(scene.Who(scene.maker.SignTexts(header, R"({"\u0073ub":"ben",)" + claims.substr(1))) ==
        "INVALID_TOKEN");
}

TEST_CASE("Garbage, too many or too few parts and other spellings of base64url are refused") {
  Scene scene;
  const std::string token = scene.maker.Sign(Claims(kNow));
  REQUIRE(scene.Who(token) == "anna");
  const std::string header = scene.maker.Header().dump();
  // Whole claims, and something so deep beside them.
  const auto claims_with = [](size_t depth) {
    std::string claims = Claims(kNow).dump();
    claims.pop_back();
    return claims + ",\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  CHECK(scene.Who(scene.maker.SignTexts(header, claims_with(7))) == "anna");
  const std::vector<std::string> all = {"x",
                                        "...",
                                        "..",
                                        "a.b.c",
                                        token + ".",
                                        token + ".x",
                                        "." + token,
                                        token + "=",
                                        token + " ",
                                        " " + token,
                                        token + "\n",
                                        token.substr(0, token.rfind('.')),
                                        std::string(7'000, '.'),
                                        std::string(9'000, 'a'),
                                        Base64Url(std::string(3'000, '[')) + ".e30.AA",
                                        scene.maker.SignTexts(header, claims_with(8)),
                                        scene.maker.SignTexts("[]", Claims(kNow).dump()),
                                        scene.maker.SignTexts(header, "\"anna\"")};
  for (const std::string& bad : all) {
    CAPTURE(bad.substr(0, 100));
    CHECK(scene.Who(bad) == "INVALID_TOKEN");
  }
  // The last letter of a signature of 64 bytes has four bits to spare.
  std::string other = token;
  other.back() = other.back() == 'A' ? 'B' : static_cast<char>(other.back() + 1);
  CHECK(scene.Who(other) == "INVALID_TOKEN");
}

TEST_CASE("No refusal says anything of what the token holds") {
  Scene scene;
  json claims = Claims(kNow);
  claims["sub"] = "secret-subject\n";
  const std::string token = scene.maker.Sign(claims);
  const auto status = scene.Show(token).status();
  CHECK(status.message() == "the access token is refused: sub is no text of 1 to 255 bytes");
}

TEST_CASE("A key that is not known may be newer than the set when the token is") {
  Scene scene;
  TokenMaker next("ES256", "key-2");
  CHECK(scene.Who(next.Sign(Claims(kNow))) == "INVALID_TOKEN");  // Made a minute before.
  CHECK(scene.wanted == 0);
  json claims = Claims(kNow);
  claims["iat"] = absl::ToUnixSeconds(kNow) - 30;
  const std::string token = next.Sign(claims);
  CHECK(scene.Who(token) == "KEYS_UNKNOWN");
  CHECK(scene.wanted == 1);
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({scene.maker.Jwk(), next.Jwk()}), At(kNow)).ok());
  CHECK(scene.Who(token) == "anna");
}

TEST_CASE("Keys that could not be fetched for a day count for nothing") {
  Scene scene;
  const auto token_of = [&](absl::Time now) { return scene.maker.Sign(Claims(now)); };
  const absl::Time almost = kNow + absl::Hours(24) - absl::Seconds(1);
  CHECK(scene.Who(token_of(almost), almost) == "anna");
  CHECK(scene.Who(token_of(kNow + absl::Hours(24)), kNow + absl::Hours(24)) == "KEYS_UNKNOWN");
}

TEST_CASE(
    "Nor is a token good any more that was known by keys which could not be fetched for a day") {
  Scene scene;
  const absl::Time almost = kNow + absl::Hours(24) - absl::Seconds(1);
  json claims = Claims(almost);
  claims["exp"] = absl::ToUnixSeconds(almost + absl::Hours(20));
  const std::string token = scene.maker.Sign(claims);
  REQUIRE(scene.Who(token, almost) == "anna");
  CHECK(scene.Who(token, kNow + absl::Hours(24)) == "KEYS_UNKNOWN");
  CHECK(scene.wanted == 1);
  const absl::Time later = kNow + absl::Hours(25);
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({scene.maker.Jwk()}), At(later)).ok());
  CHECK(scene.Who(token, later) == "anna");
}

TEST_CASE("Before the first keys came, calls are to be repeated") {
  int wanted = 0;
  JwtAuthenticator authenticator({.issuers = {Rules()}}, [&](size_t) { ++wanted; });
  TokenMaker maker("ES256");
  const auto status = authenticator
                          .Authenticate(
                              maker.Sign(Claims(kNow)), [] { return "x"; }, At(kNow))
                          .status();
  CHECK(absl::IsUnavailable(status));
  CHECK(wanted == 1);
}

TEST_CASE("Tokens of a key that was taken back are refused, also those that were known") {
  Scene scene;
  TokenMaker next("ES256", "key-2");
  const std::string token = scene.maker.Sign(Claims(kNow));
  REQUIRE(scene.Who(token) == "anna");
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({next.Jwk()}), At(kNow)).ok());
  CHECK(scene.Who(token) == "INVALID_TOKEN");
}

TEST_CASE("A set of keys that is none leaves the one before in place") {
  Scene scene;
  const std::string bad =
      GENERATE(as<std::string>(), "", "<html>", "{}", R"({"keys":[]})", R"({"keys":{}})",
               R"({"keys":[{"kty":"oct","k":"AAAA"}]})", std::string(70'000, ' '));
  CHECK(ReasonOf(scene.authenticator.SetKeys(0, bad, At(kNow))) == "INVALID_KEY_SET");
  CHECK(scene.Who(scene.maker.Sign(Claims(kNow))) == "anna");
}

TEST_CASE("Two issuers that know the same name mean two users, and none can pose as the other's") {
  IssuerRules ours = Rules();
  IssuerRules theirs = Rules();
  theirs.issuer = "https://other.example";
  theirs.prefix = "other:";
  ours.foreign_prefixes = {theirs.prefix};
  theirs.foreign_prefixes = {ours.prefix};
  JwtAuthenticator authenticator({.issuers = {ours, theirs}}, [](size_t) {});
  TokenMaker mine("ES256");
  TokenMaker others("ES256");  // Under the same key id.
  REQUIRE(authenticator.SetKeys(0, KeySetOf({mine.Jwk()}), At(kNow)).ok());
  REQUIRE(authenticator.SetKeys(1, KeySetOf({others.Jwk()}), At(kNow)).ok());
  const auto who = [&](const TokenMaker& maker, const std::string& issuer,
                       const std::string& subject) {
    json claims = Claims(kNow);
    claims["iss"] = issuer;
    claims["sub"] = subject;
    const auto identity = authenticator.Authenticate(
        maker.Sign(claims), [] { return "x"; }, At(kNow));
    return identity.ok() ? (*identity)->subject + " with " + (*identity)->client_id
                         : ReasonOf(identity.status());
  };
  CHECK(who(mine, ours.issuer, "anna") == "anna with laptop");
  CHECK(who(others, theirs.issuer, "anna") == "other:anna with other:laptop");
  CHECK(who(mine, ours.issuer, "other:anna") == "INVALID_TOKEN");
  CHECK(who(mine, theirs.issuer, "anna") == "INVALID_TOKEN");
  CHECK(who(others, ours.issuer, "anna") == "INVALID_TOKEN");
}

TEST_CASE(
    "A peer with too many bad tokens is told to wait, and who is known is not, nor are others") {
  Scene scene;
  const std::string known = scene.maker.Sign(Claims(kNow));
  REQUIRE(scene.Who(known) == "anna");
  TokenMaker attacker("ES256");
  int refused = 0;
  std::string reason;
  for (int i = 0; i < 1'000 && reason != "TOO_MANY_BAD_TOKENS"; ++i, ++refused) {
    json claims = Claims(kNow);
    claims["jti"] = std::to_string(i);
    // Each connection has another port.
    reason = scene.Who(attacker.Sign(claims), kNow, "ipv4:10.0.0.1:" + std::to_string(i));
  }
  CHECK(refused == 201);
  CHECK(scene.Who(known) == "anna");
  // One and the same bad token is known, too.
  json fresh = Claims(kNow);
  fresh["jti"] = "fresh";
  CHECK(scene.Who(scene.maker.Sign(fresh)) == "TOO_MANY_BAD_TOKENS");
  CHECK(scene.Who(scene.maker.Sign(fresh), kNow, "ipv4:10.0.0.2:7") == "anna");
  CHECK(scene.Who(attacker.Sign(fresh), kNow + absl::Milliseconds(20)) == "INVALID_TOKEN");
  CHECK(scene.Who(attacker.Sign(fresh), kNow + absl::Milliseconds(20)) == "TOO_MANY_BAD_TOKENS");
}

TEST_CASE("A token with a wrong signature that comes again costs its peer nothing more") {
  Scene scene;
  const std::string bad = TokenMaker("ES256").Sign(Claims(kNow));
  for (int i = 0; i < 1'000; ++i) REQUIRE(scene.Who(bad) == "INVALID_TOKEN");
  CHECK(scene.Who(scene.maker.Sign(Claims(kNow))) == "anna");
}

TEST_CASE("Tokens that ended are no attack, and a wall clock that is set back holds up nobody") {
  Scene scene;
  for (int i = 0; i < 1'000; ++i) {
    json claims = Claims(kNow - absl::Hours(1));
    claims["jti"] = std::to_string(i);
    REQUIRE(scene.Who(scene.maker.Sign(claims)) == "TOKEN_EXPIRED");
  }
  TokenMaker attacker("ES256");
  for (int i = 0; i < 250; ++i) {
    json claims = Claims(kNow);
    claims["jti"] = std::to_string(i);
    scene.Who(attacker.Sign(claims));
  }
  const std::string good = scene.maker.Sign(Claims(kNow));
  REQUIRE(scene.Who(good) == "TOO_MANY_BAD_TOKENS");
  const Now later = {.wall = kNow - absl::Seconds(10),
                     .steady = At(kNow).steady + absl::Seconds(1)};
  CHECK(scene.authenticator
            .Authenticate(
                good, [] { return "ipv4:10.0.0.1:7"; }, later)
            .ok());
}

TEST_CASE("Peers whose tokens name keys that nobody knows are bounded, too") {
  JwtAuthenticator::Options options{.issuers = {Rules()}};
  options.unknown_keys.of_one = {.per_second = 1, .burst = 5};
  JwtAuthenticator authenticator(options, [](size_t) {});
  TokenMaker maker("ES256");
  std::string reason;
  int shown = 0;
  for (; reason != "TOO_MANY_BAD_TOKENS" && shown < 100; ++shown) {
    reason = ReasonOf(authenticator
                          .Authenticate(
                              maker.Sign(Claims(kNow)), [] { return "a:1"; }, At(kNow))
                          .status());
  }
  CHECK(shown == 6);
}

TEST_CASE(
    "A token that names a key which is not there costs its peer once, until keys are fetched") {
  JwtAuthenticator::Options options{.issuers = {Rules()}};
  options.unknown_keys.of_one = {.per_second = 0, .burst = 2};
  int wanted = 0;
  JwtAuthenticator authenticator(options, [&](size_t) { ++wanted; });
  TokenMaker maker("ES256");
  TokenMaker next("ES256", "key-2");
  const std::string token = next.Sign(Claims(kNow));
  const auto show = [&](absl::Time now = kNow) {
    const auto identity = authenticator.Authenticate(
        token, [] { return "x"; }, At(now));
    return identity.ok() ? (*identity)->subject : ReasonOf(identity.status());
  };
  for (int i = 0; i < 100; ++i) REQUIRE(show() == "KEYS_UNKNOWN");
  CHECK(wanted == 100);
  CHECK(show(kNow + absl::Seconds(630)) == "TOKEN_EXPIRED");
  REQUIRE(authenticator.SetKeys(0, KeySetOf({maker.Jwk()}), At(kNow - absl::Seconds(40))).ok());
  CHECK(show() == "KEYS_UNKNOWN");
  CHECK(show() == "KEYS_UNKNOWN");
  REQUIRE(authenticator.SetKeys(0, KeySetOf({maker.Jwk(), next.Jwk()}), At(kNow)).ok());
  CHECK(show(kNow + absl::Seconds(1)) == "TOO_MANY_BAD_TOKENS");  // For the two before.
}

TEST_CASE("The addresses of one IPv6 network are one peer") {
  Scene scene;
  TokenMaker attacker("ES256");
  const auto from = [](const std::string& host) { return "ipv6:%5B" + host + "%5D:7"; };
  const auto token_of = [](const TokenMaker& maker, int i) {
    json claims = Claims(kNow);
    claims["jti"] = std::to_string(i);
    return maker.Sign(claims);
  };
  for (int i = 0; i < 200; ++i) {
    const std::string host = from("2001:db8::" + std::to_string(i));
    REQUIRE(scene.Who(token_of(attacker, i), kNow, host) == "INVALID_TOKEN");
  }
  const auto who = [&](const std::string& host) {
    return scene.Who(token_of(scene.maker, 200), kNow, from(host));
  };
  CHECK(who("2001:db8::beef") == "TOO_MANY_BAD_TOKENS");
  CHECK(who("2001:db8:0:1::beef") == "anna");
}

TEST_CASE("A key set that is only written otherwise makes no token new") {
  Scene scene;
  TokenMaker other("EdDSA", "key-2");
  REQUIRE(
      scene.authenticator.SetKeys(0, KeySetOf({scene.maker.Jwk(), other.Jwk()}), At(kNow)).ok());
  const std::string token = scene.maker.Sign(Claims(kNow));
  const auto first = *scene.Show(token);
  const std::string same = "  " + KeySetOf({other.Jwk(), scene.maker.Jwk()});
  REQUIRE(scene.authenticator.SetKeys(0, same, At(kNow)).ok());
  CHECK(*scene.Show(token) == first);
  REQUIRE(scene.authenticator.SetKeys(0, KeySetOf({scene.maker.Jwk()}), At(kNow)).ok());
  CHECK(*scene.Show(token) != first);
}

TEST_CASE("Many peers with bad tokens together are held up, and what is known of them is bounded") {
  const absl::Duration start = absl::Hours(1);
  FailureBudget budget({.of_one = {.per_second = 1, .burst = 2},
                        .of_all = {.per_second = 10, .burst = 20},
                        .max_sources = 5});
  for (int i = 0; i < 20; ++i) {
    REQUIRE(budget.HasRoom("peer" + std::to_string(i), start) == (i < 7));
    budget.Failed("peer" + std::to_string(i), start);
  }
  // Beyond five sources all others are one.
  CHECK_FALSE(budget.HasRoom("peer100", start));
  CHECK_FALSE(budget.HasRoom("peer0", start));  // All together.
  CHECK(budget.HasRoom("peer0", start + absl::Milliseconds(150)));
  CHECK_FALSE(budget.HasRoom("peer100", start + absl::Milliseconds(150)));
  CHECK(budget.HasRoom("peer100", start + absl::Seconds(1)));
  // And those that are good again leave room.
  budget.Failed("peer100", start + absl::Seconds(10));
  budget.Failed("peer101", start + absl::Seconds(10));
  CHECK(budget.HasRoom("peer102", start + absl::Seconds(10)));
}

// An authenticator that remembers few tokens, and who is to be known by it.
class FewKnown {
 public:
  FewKnown() { REQUIRE(authenticator_.SetKeys(0, KeySetOf({maker_.Jwk()}), At(kNow)).ok()); }

  // The bearer of the token of this number; the very same as before unless it was checked anew.
  std::shared_ptr<const Identity> Show(int number) {
    const auto [entry, is_new] = tokens_.try_emplace(number);
    json claims = Claims(kNow);
    claims["jti"] = std::to_string(number);
    if (is_new) entry->second = maker_.Sign(claims);
    return *Ask(entry->second);
  }
  // Another one each time.
  std::string ShowForged() { return ReasonOf(Ask(attacker_.Sign(Claims(kNow))).status()); }

 private:
  static JwtAuthenticator::Options Options() {
    JwtAuthenticator::Options options{.issuers = {Rules()}, .max_known = 4, .max_refused = 4};
    options.failures.of_one = options.failures.of_all = {.per_second = 1, .burst = 1'000};
    return options;
  }
  absl::StatusOr<std::shared_ptr<const Identity>> Ask(const std::string& token) {
    return authenticator_.Authenticate(
        token, [] { return "x"; }, At(kNow));
  }

  TokenMaker maker_{"ES256"};
  TokenMaker attacker_{"ES256"};
  std::map<int, std::string> tokens_;
  JwtAuthenticator authenticator_{Options(), [](size_t) {}};
};

TEST_CASE("What is remembered of tokens is bounded, and one that is in use among many stays") {
  FewKnown scene;
  const auto first = scene.Show(0);
  for (int i = 1; i < 20; ++i) {
    CHECK(scene.Show(i) != nullptr);
    CHECK(scene.Show(0) == first);
  }
  CHECK(scene.Show(1) != nullptr);
}

TEST_CASE("That is so, too, where all of them are in use") {
  FewKnown scene;
  std::vector<std::shared_ptr<const Identity>> before;
  for (int i = 0; i < 20; ++i) {
    before.push_back(scene.Show(i));
    for (int j = 0; j < i; ++j) before[static_cast<size_t>(j)] = scene.Show(j);
  }
  // From the last on, so that what is checked anew makes none forgotten that is still to be seen.
  int known = 0;
  for (int i = 19; i >= 0; --i) known += scene.Show(i) == before[static_cast<size_t>(i)] ? 1 : 0;
  CHECK(known <= 4);
}

TEST_CASE("However many forged tokens come, no good one is forgotten") {
  FewKnown scene;
  const auto first = scene.Show(0);
  for (int i = 0; i < 100; ++i) REQUIRE(scene.ShowForged() == "INVALID_TOKEN");
  CHECK(scene.Show(0) == first);
}

}  // namespace
}  // namespace kantoku::platform
