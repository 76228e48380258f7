// Any text is a token or refused, any claims say who calls or are refused, any key set is one or is
// refused: nothing else happens. The first letter says what the rest is.
#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "services/platform/check.h"
#include "services/platform/identity/claims.h"
#include "services/platform/identity/key_set.h"

namespace kantoku::platform {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

bool IsName(const std::string& text) { return !text.empty() && text.size() <= 255; }

void CheckClaims(const Jwt& token) {
  IssuerRules rules;
  rules.issuer = IssuerOf(token);
  rules.audiences = {"kantoku"};
  rules.plain_jwt = true;
  rules.foreign_prefixes = {"other:"};
  const auto identity = ReadClaims(token, rules, {}, kNow);
  if (!identity.ok()) return;
  KANTOKU_CHECK(IsName(identity->subject) && IsName(identity->client_id));
  KANTOKU_CHECK(identity->subject.find("other:") != 0);
  KANTOKU_CHECK(identity->expires > kNow);
  KANTOKU_CHECK(identity->expires <= kNow + absl::Hours(24) + absl::Minutes(1));
  for (const auto& [name, value] : identity->labels) {
    KANTOKU_CHECK(name.find(kTrustedPrefix) == 0 && IsName(value));
  }
}

void CheckToken(const std::string& text) {
  const auto token = ParseJwt(text);
  if (!token.ok()) return;
  KANTOKU_CHECK(token->text == text && token->signed_size < text.size());
  CheckClaims(*token);
}

// A header and claims, a line each, as a token that is well formed.
void CheckTexts(const std::string& lines) {
  const size_t end = lines.find('\n');
  if (end == std::string::npos) return;
  CheckToken(absl::WebSafeBase64Escape(lines.substr(0, end)) + "." +
             absl::WebSafeBase64Escape(lines.substr(end + 1)) + ".AAAA");
}

void CheckKeys(const std::string& text) {
  const auto keys = KeySet::Parse(text);
  if (!keys.ok()) return;
  KANTOKU_CHECK(keys->size() > 0 && keys->size() <= KeySet::kMaxKeys);
  Jwt token;
  token.text = "e30.e30.AAAA";
  token.signed_size = 7;
  token.signature = std::string(64, 's');
  for (const Algorithm algorithm :
       {Algorithm::kRs256, Algorithm::kPs256, Algorithm::kEs256, Algorithm::kEdDsa}) {
    token.algorithm = algorithm;
    KANTOKU_CHECK(keys->Verify(token) != KeySet::Answer::kGood);
  }
}

void Check(const std::string& input) {
  if (input.empty()) return;
  const std::string rest = input.substr(1);
  switch (input.front()) {
    case 't':
      return CheckToken(rest);
    case 'c':
      return CheckTexts(rest);
    case 'k':
      return CheckKeys(rest);
    default:
      return;
  }
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
