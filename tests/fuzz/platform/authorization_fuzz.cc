// From the `authorization` entry of a call to who it is, with real keys: only what its issuer has
// signed says who somebody is, whatever is done to it on the way. The first letter says what the
// rest is:
//   a  the entry's value
//   m  changes of a genuine one: two bytes of place, then what is added to the byte there
//   s  a header and claims, a line each, which the issuer signs
#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/identity/bearer.h"
#include "services/platform/identity/jwt_authenticator.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const Now kNow = {.wall = absl::FromUnixSeconds(1'800'000'000), .steady = absl::Hours(1)};
constexpr char kHeader[] = R"({"alg":"EdDSA","kid":"k","typ":"at+jwt"})";
constexpr char kClaims[] =
    R"({"iss":"https://id.example","aud":"kantoku","sub":"anna","client_id":"laptop","jti":"1",)"
    R"("iat":1799999940,"exp":1800000540,"scope":"inputs:spawn inputs:pull:segment-*"})";

// The issuer's key, always the same, so that what was found once is found again.
class Issuer {
 public:
  static const Issuer& Get() {
    static const Issuer& issuer = *new Issuer;
    return issuer;
  }

  std::string KeySet() const {
    std::string bytes(32, '\0');
    size_t size = bytes.size();
    KANTOKU_CHECK(EVP_PKEY_get_raw_public_key(key_, reinterpret_cast<unsigned char*>(bytes.data()),
                                              &size) == 1);
    return absl::StrCat(R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","use":"sig","x":")",
                        absl::WebSafeBase64Escape(bytes), "\"}]}");
  }

  std::string Sign(const std::string& header, const std::string& claims) const {
    const std::string text =
        absl::StrCat(absl::WebSafeBase64Escape(header), ".", absl::WebSafeBase64Escape(claims));
    std::string signature(64, '\0');
    size_t size = signature.size();
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    KANTOKU_CHECK(EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_) == 1 &&
                  EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size()) == 1);
    EVP_MD_CTX_free(context);
    return absl::StrCat(text, ".", absl::WebSafeBase64Escape(signature));
  }

 private:
  Issuer() {
    const std::string seed(32, 'k');
    key_ = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr,
                                        reinterpret_cast<const unsigned char*>(seed.data()),
                                        seed.size());
    KANTOKU_CHECK(key_ != nullptr);
  }

  EVP_PKEY* key_;
};

const std::string& Genuine() {
  static const std::string& token = *new std::string(Issuer::Get().Sign(kHeader, kClaims));
  return token;
}

JwtAuthenticator& Authenticator() {
  static JwtAuthenticator& authenticator = *[] {
    JwtAuthenticator::Options options;
    IssuerRules rules;
    rules.issuer = "https://id.example";
    rules.audiences = {"kantoku"};
    options.issuers = {rules};
    options.max_known = 1'000;
    // Nobody is told to wait, which would hide everything else.
    options.failures = {.of_one = {1e18, 1e18}, .of_all = {1e18, 1e18}};
    options.unknown_keys = options.failures;
    auto* const made = new JwtAuthenticator(std::move(options), [](size_t) {});
    KANTOKU_CHECK(made->SetKeys(0, Issuer::Get().KeySet(), kNow).ok());
    return made;
  }();
  return authenticator;
}

// Why somebody is refused is one of few things, and says nothing of a genuine token in what he has
// shown. (Of other texts it may say what they happen to have in common with it.)
void CheckRefusal(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  KANTOKU_CHECK(reason == "NO_TOKEN" || reason == "INVALID_TOKEN" || reason == "TOKEN_EXPIRED" ||
                reason == "KEYS_UNKNOWN");
  KANTOKU_CHECK(status.message().size() < 200);
  for (size_t i = 0; i + 12 <= Genuine().size(); i += 6) {
    KANTOKU_CHECK(!absl::StrContains(status.message(), Genuine().substr(i, 12)));
  }
}

void Show(const std::string& authorization) {
  const std::string_view token = BearerOf(authorization);
  // Twice: it is found among the known ones then.
  for (int i = 0; i < 2; ++i) {
    const auto bearer = Authenticator().Authenticate(
        token, [] { return "ipv4:1.2.3.4"; }, kNow);
    KANTOKU_CHECK(bearer.ok() == (token == Genuine()));
    if (!bearer.ok()) CheckRefusal(bearer.status());
  }
}

void ShowChanged(const std::string& changes) {
  std::string value = absl::StrCat("Bearer ", Genuine());
  for (size_t i = 0; i + 3 <= changes.size(); i += 3) {
    const size_t place =
        static_cast<uint8_t>(changes[i]) * 256u + static_cast<uint8_t>(changes[i + 1]);
    char& byte = value[place % value.size()];
    byte = static_cast<char>(byte + changes[i + 2]);
  }
  Show(value);
}

void ShowSigned(const std::string& lines) {
  const size_t end = lines.find('\n');
  if (end == std::string::npos) return;
  const std::string token = Issuer::Get().Sign(lines.substr(0, end), lines.substr(end + 1));
  const auto bearer = Authenticator().Authenticate(
      token, [] { return "ipv4:1.2.3.4"; }, kNow);
  if (!bearer.ok()) return CheckRefusal(bearer.status());
  KANTOKU_CHECK(!(*bearer)->subject.empty() && (*bearer)->subject.size() <= 255);
  KANTOKU_CHECK(!(*bearer)->client_id.empty() && (*bearer)->client_id.size() <= 255);
  KANTOKU_CHECK((*bearer)->service.empty() && (*bearer)->expires > kNow.wall);
}

void Check(const std::string& input) {
  if (input.empty()) return;
  const std::string rest = input.substr(1);
  if (input.front() == 'a') Show(rest);
  if (input.front() == 'm') ShowChanged(rest);
  if (input.front() == 's') ShowSigned(rest);
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
