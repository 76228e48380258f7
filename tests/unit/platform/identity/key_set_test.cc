#include "services/platform/identity/key_set.h"

#include <catch2/catch.hpp>

#include "services/platform/status.h"
#include "tests/support/token_maker.h"

namespace kantoku::platform {
namespace {

using nlohmann::json;
using test::Claims;
using test::KeySetOf;
using test::TokenMaker;

Jwt TokenOf(const TokenMaker& maker, const json& header) {
  auto token = ParseJwt(maker.Sign(header, Claims(absl::FromUnixSeconds(1'800'000'000))));
  REQUIRE(token.ok());
  return *std::move(token);
}

Jwt TokenOf(const TokenMaker& maker) { return TokenOf(maker, maker.Header()); }

TEST_CASE("A token of RFC 8037 and its key are what they are there") {
  // Appendix A.4, whose payload is no JSON; so the signature is looked at alone.
  Jwt token;
  token.text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  token.signed_size = token.text.size();
  token.algorithm = Algorithm::kEdDsa;
  const unsigned char signature[] = {
      0x86, 0x0c, 0x98, 0xd2, 0x29, 0x7f, 0x30, 0x60, 0xa3, 0x3f, 0x42, 0x73, 0x96,
      0x72, 0xd6, 0x1b, 0x53, 0xcf, 0x3a, 0xde, 0xfe, 0xd3, 0xd3, 0xc6, 0x72, 0xf3,
      0x20, 0xdc, 0x02, 0x1b, 0x41, 0x1e, 0x9d, 0x59, 0xb8, 0x62, 0x8d, 0xc3, 0x51,
      0xe2, 0x48, 0xb8, 0x8b, 0x29, 0x46, 0x8e, 0x0e, 0x41, 0x85, 0x5b, 0x0f, 0xb7,
      0xd8, 0x3b, 0xb1, 0x5b, 0xe9, 0x02, 0xbf, 0xcc, 0xb8, 0xcd, 0x0a, 0x02};
  token.signature.assign(reinterpret_cast<const char*>(signature), sizeof(signature));
  const json jwk = {
      {"kty", "OKP"}, {"crv", "Ed25519"}, {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}};
  const auto keys = KeySet::Parse(KeySetOf({jwk}));
  REQUIRE(keys.ok());
  CHECK(keys->Verify(token) == KeySet::Answer::kGood);
  token.signature[0] = static_cast<char>(token.signature[0] ^ 1);
  CHECK(keys->Verify(token) == KeySet::Answer::kBad);
}

TEST_CASE(
    "A key that is weak, private, for something else or broken is left out, and others work") {
  TokenMaker good("ES256", "good");
  TokenMaker rsa("RS256", "rsa");
  TokenMaker weak("RS256", "weak", 1'024);
  TokenMaker ed("EdDSA", "ed");
  const auto with = [](json jwk, const std::string& member, const json& value) {
    jwk[member] = value;
    if (value.is_null()) jwk.erase(member);
    return jwk;
  };
  const auto padded = [](std::string number) { return number.replace(10, 1, "="); };
  const std::vector<json> bad = {
      weak.Jwk(),
      with(rsa.Jwk(), "e", "AQ"),    // 1.
      with(rsa.Jwk(), "e", "Aw"),    // 3.
      with(rsa.Jwk(), "e", "AQAA"),  // Even.
      with(rsa.Jwk(), "n", nullptr),
      with(rsa.Jwk(), "d", "AAAA"),
      with(rsa.Jwk(), "use", "enc"),
      with(rsa.Jwk(), "use", 1),
      with(rsa.Jwk(), "key_ops", {"encrypt"}),
      with(rsa.Jwk(), "key_ops", "verify"),
      with(rsa.Jwk(), "alg", "RSA-OAEP"),
      with(rsa.Jwk(), "alg", "ES256"),
      with(rsa.Jwk(), "kid", ""),
      with(rsa.Jwk(), "kid", 7),
      with(rsa.Jwk(), "kid", std::string(256, 'k')),
      with(good.Jwk(), "crv", "P-384"),
      with(with(good.Jwk(), "kid", "off"), "y", good.Jwk()["x"]),  // Not on the curve.
      with(with(good.Jwk(), "kid", "short"), "x", "AAAA"),
      with(with(good.Jwk(), "kid", "padded"), "x", padded(good.Jwk()["x"])),
      with(with(good.Jwk(), "kid", "padded"), "y", padded(good.Jwk()["y"])),
      with(rsa.Jwk(), "n", padded(rsa.Jwk()["n"])),
      with(rsa.Jwk(), "e", "AQAB="),
      with(ed.Jwk(), "crv", "X25519"),
      with(ed.Jwk(), "x", "AAAA"),
      {{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "oct"}},
      json("text"),
      json(),
  };
  for (const json& jwk : bad) {
    CAPTURE(jwk.dump().substr(0, 300));
    const auto keys = KeySet::Parse(KeySetOf({good.Jwk(), jwk}));
    REQUIRE(keys.ok());
    CHECK(keys->size() == 1);
    CHECK(keys->left_out() == 1);
    CHECK(keys->Verify(TokenOf(good)) == KeySet::Answer::kGood);
    CHECK(ReasonOf(KeySet::Parse(KeySetOf({jwk})).status()) == "INVALID_KEY_SET");
  }
}

TEST_CASE("What else a key has is not looked at") {
  TokenMaker maker("RS256", "rsa");
  json jwk = maker.Jwk();
  for (const char* const name : {"p", "q", "dp", "dq", "qi", "x5c"}) jwk[name] = "A=A";
  const auto keys = KeySet::Parse(KeySetOf({jwk}));
  REQUIRE(keys.ok());
  CHECK(keys->Verify(TokenOf(maker)) == KeySet::Answer::kGood);
}

TEST_CASE("Of two keys with one id neither is taken, as nobody can say which is meant") {
  TokenMaker one("ES256", "same");
  TokenMaker two("EdDSA", "same");
  TokenMaker other("ES256", "other");
  const auto keys = KeySet::Parse(KeySetOf({one.Jwk(), other.Jwk(), two.Jwk()}));
  REQUIRE(keys.ok());
  CHECK(keys->size() == 1);
  CHECK(keys->Verify(TokenOf(one)) == KeySet::Answer::kNoSuchKey);
  CHECK(keys->Verify(TokenOf(other)) == KeySet::Answer::kGood);
}

TEST_CASE("A token that names no key is signed with the only one for its algorithm, or with none") {
  TokenMaker ec("ES256", "ec");
  TokenMaker ed("EdDSA", "ed");
  TokenMaker more("ES256", "more");
  json header = ec.Header();
  header.erase("kid");
  const auto one_each = KeySet::Parse(KeySetOf({ec.Jwk(), ed.Jwk()}));
  CHECK(one_each->Verify(TokenOf(ec, header)) == KeySet::Answer::kGood);
  CHECK(one_each->Verify(TokenOf(more, header)) == KeySet::Answer::kBad);
  const auto two = KeySet::Parse(KeySetOf({ec.Jwk(), more.Jwk()}));
  CHECK(two->Verify(TokenOf(ec, header)) == KeySet::Answer::kNoSuchKey);
}

TEST_CASE("A key that does not say what it signs with is good for all that its type can") {
  TokenMaker rs("RS256");
  json jwk = rs.Jwk();
  jwk.erase("alg");
  jwk.erase("use");
  const auto keys = KeySet::Parse(KeySetOf({jwk}));
  REQUIRE(keys.ok());
  CHECK(keys->Verify(TokenOf(rs)) == KeySet::Answer::kGood);
  json header = rs.Header();
  header["alg"] = "PS256";  // But signed otherwise.
  CHECK(keys->Verify(TokenOf(rs, header)) == KeySet::Answer::kBad);
}

TEST_CASE("A set is bounded in bytes and keys") {
  TokenMaker maker("ES256");
  std::vector<json> many;
  for (int i = 0; i < 101; ++i) {
    json jwk = maker.Jwk();
    jwk["kid"] = std::to_string(i);
    many.push_back(jwk);
  }
  CHECK(ReasonOf(KeySet::Parse(KeySetOf(many)).status()) == "INVALID_KEY_SET");
  many.pop_back();
  CHECK(KeySet::Parse(KeySetOf(many))->size() == 100);
  const std::string large = KeySetOf({maker.Jwk()}) + std::string(65'536, ' ');
  CHECK(ReasonOf(KeySet::Parse(large).status()) == "INVALID_KEY_SET");
}

}  // namespace
}  // namespace kantoku::platform
