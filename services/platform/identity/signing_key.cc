#include "services/platform/identity/signing_key.h"

#include <cjose/cjose.h>
#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/identity/jwk.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

struct JwkDeleter {
  void operator()(cjose_jwk_t* key) const { ::cjose_jwk_release(key); }
};
using JwkPtr = std::unique_ptr<cjose_jwk_t, JwkDeleter>;

absl::Status NoKey(const std::string& path) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_SIGNING_KEY",
               absl::StrCat(path, ": holds no private JWK of the curve P-256"));
}

std::string TextOf(const cjose_jwk_t* key, bool with_private) {
  cjose_err error{};
  char* const text = ::cjose_jwk_to_json(key, with_private, &error);
  KANTOKU_CHECK(text != nullptr);
  std::string copy(text);
  std::free(text);
  return copy;
}

// RFC 7638: of the members that make the key, in the order of their names.
std::string ThumbprintOf(const nlohmann::json& jwk) {
  const nlohmann::json members = {
      {"crv", jwk["crv"]}, {"kty", jwk["kty"]}, {"x", jwk["x"]}, {"y", jwk["y"]}};
  const std::string text = members.dump();
  std::array<char, 32> digest{};
  KANTOKU_CHECK(::EVP_Digest(text.data(), text.size(),
                             reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                             ::EVP_sha256(), nullptr) == 1);
  return absl::WebSafeBase64Escape(absl::string_view(digest.data(), digest.size()));
}

class Es256Key final : public SigningKey {
 public:
  explicit Es256Key(JwkPtr key) : key_(std::move(key)) {
    public_ = nlohmann::json::parse(TextOf(key_.get(), /*with_private=*/false));
    public_["kid"] = ThumbprintOf(public_);
    public_["alg"] = "ES256";
    public_["use"] = "sig";
  }

  std::string Sign(const nlohmann::json& claims) const override {
    cjose_err error{};
    cjose_header_t* const header = ::cjose_header_new(&error);
    const absl::Cleanup release_header = [header] { ::cjose_header_release(header); };
    const std::string id = public_["kid"].get<std::string>();
    for (const auto& [name, value] :
         {std::pair("alg", "ES256"), std::pair("kid", id.c_str()), std::pair("typ", "at+jwt")}) {
      KANTOKU_CHECK(::cjose_header_set(header, name, value, &error));
    }
    const std::string text = claims.dump();
    cjose_jws_t* const signature = ::cjose_jws_sign(
        key_.get(), header, reinterpret_cast<const uint8_t*>(text.data()), text.size(), &error);
    KANTOKU_CHECK(signature != nullptr);
    const absl::Cleanup release_signature = [signature] { ::cjose_jws_release(signature); };
    const char* compact = nullptr;
    KANTOKU_CHECK(::cjose_jws_export(signature, &compact, &error));
    return compact;
  }

  std::string KeySetText() const override {
    return nlohmann::json{{"keys", nlohmann::json::array({public_})}}.dump();
  }

 private:
  const JwkPtr key_;
  nlohmann::json public_;
};

std::string MakeKeyText() {
  cjose_err error{};
  const JwkPtr key(::cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error));
  KANTOKU_CHECK(key != nullptr);
  return TextOf(key.get(), /*with_private=*/true);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SigningKey>> SigningKey::LoadOrCreate(const std::string& path) {
  auto text = ReadWholeFile(path, kForOwnerAlone);
  if (absl::IsNotFound(text.status())) {
    const absl::Status created = CreateWholeFile(path, MakeKeyText());
    if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
    text = ReadWholeFile(path, kForOwnerAlone);
  }
  if (!text.ok()) return text.status();
  const auto stored = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  const auto shown = stored.is_object() ? KeyForCjose(stored, {"x", "y", "d"}) : std::nullopt;
  if (!shown.has_value()) return NoKey(path);
  cjose_err error{};
  JwkPtr key(::cjose_jwk_import(shown->data(), shown->size(), &error));
  if (key == nullptr || ::cjose_jwk_get_kty(key.get(), &error) != CJOSE_JWK_KTY_EC ||
      ::cjose_jwk_EC_get_curve(key.get(), &error) != CJOSE_JWK_EC_P_256) {
    return NoKey(path);
  }
  return std::make_unique<Es256Key>(std::move(key));
}

}  // namespace kantoku::platform
