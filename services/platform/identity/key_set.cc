#include "services/platform/identity/key_set.h"

#include <cjose/cjose.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/identity/jwk.h"
#include "services/platform/identity/strict_json.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxKeyIdBytes = 255;
constexpr size_t kMinRsaBits = 2'048;
constexpr size_t kMaxRsaBits = 8'192;
constexpr size_t kEd25519KeySize = 32;
constexpr size_t kCurveSignatureSize = 64;  // Of P-256 and Ed25519.

absl::Status InvalidKeySet(std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEY_SET",
               absl::StrCat("the key set ", ToAbsl(why)));
}

std::string TextAt(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// Of base64url. Nothing where there is none.
std::optional<std::string> BytesAt(const nlohmann::json& object, const char* name) {
  const std::string text = TextAt(object, name);
  return text.empty() ? std::nullopt : DecodeBase64Url(text);
}

// Of a number in big-endian bytes.
size_t BitsOf(std::string_view number) {
  while (!number.empty() && number.front() == '\0') number.remove_prefix(1);
  if (number.empty()) return 0;
  size_t bits = 8 * number.size();
  for (auto top = static_cast<unsigned char>(number.front()); (top & 0x80) == 0; top <<= 1) --bits;
  return bits;
}

std::bitset<kAlgorithms> SetOf(std::initializer_list<Algorithm> algorithms) {
  std::bitset<kAlgorithms> set;
  for (const Algorithm algorithm : algorithms) set.set(static_cast<size_t>(algorithm));
  return set;
}

// Whether the key says of itself that it is for checking signatures, or nothing.
bool IsForSignatures(const nlohmann::json& jwk) {
  if (jwk.contains("use") && TextAt(jwk, "use") != "sig") return false;
  const auto operations = jwk.find("key_ops");
  return operations == jwk.end() ||
         (operations->is_array() &&
          std::find(operations->begin(), operations->end(), "verify") != operations->end());
}

// What keys of this type and size sign with; nothing where they are of no use.
std::bitset<kAlgorithms> AlgorithmsOf(const nlohmann::json& jwk) {
  const std::string type = TextAt(jwk, "kty");
  if (type == "RSA") {
    const size_t bits = BitsOf(BytesAt(jwk, "n").value_or(""));
    const std::string exponent = BytesAt(jwk, "e").value_or("");
    const bool odd = !exponent.empty() && (exponent.back() & 1) != 0;
    const bool good_exponent = odd && BitsOf(exponent) >= 17 && BitsOf(exponent) <= 32;
    if (bits < kMinRsaBits || bits > kMaxRsaBits || bits % 8 != 0 || !good_exponent) return {};
    return SetOf({Algorithm::kRs256, Algorithm::kPs256});
  }
  if (type == "EC" && TextAt(jwk, "crv") == "P-256") return SetOf({Algorithm::kEs256});
  if (type == "OKP" && TextAt(jwk, "crv") == "Ed25519") return SetOf({Algorithm::kEdDsa});
  return {};
}

}  // namespace

// RSA and P-256, by cjose.
class KeySet::CjoseVerifier final : public Verifier {
 public:
  // Null when cjose does not take the key.
  static std::shared_ptr<const Verifier> Make(const nlohmann::json& jwk) {
    cjose_err error;
    const auto text =
        TextAt(jwk, "kty") == "RSA" ? KeyForCjose(jwk, {"n", "e"}) : KeyForCjose(jwk, {"x", "y"});
    if (!text.has_value()) return nullptr;
    std::unique_ptr<cjose_jwk_t, Release> key(cjose_jwk_import(text->data(), text->size(), &error));
    if (key == nullptr) return nullptr;
    const auto size = cjose_jwk_get_kty(key.get(), &error) == CJOSE_JWK_KTY_RSA
                          ? cjose_jwk_get_keysize(key.get(), &error) / 8
                          : kCurveSignatureSize;
    return std::shared_ptr<const Verifier>(new CjoseVerifier(std::move(key), size));
  }

  bool Verify(const Jwt& token) const override {
    if (token.signature.size() != signature_size_) return false;
    cjose_err error;
    cjose_jws_t* const jws = cjose_jws_import(token.text.data(), token.text.size(), &error);
    const bool good = jws != nullptr && cjose_jws_verify(jws, key_.get(), &error);
    cjose_jws_release(jws);
    ::ERR_clear_error();
    return good;
  }

 private:
  struct Release {
    void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
  };

  CjoseVerifier(std::unique_ptr<cjose_jwk_t, Release> key, size_t signature_size)
      : key_(std::move(key)), signature_size_(signature_size) {}

  const std::unique_ptr<cjose_jwk_t, Release> key_;
  const size_t signature_size_;
};

// Which cjose has not: RFC 8037, by OpenSSL.
class KeySet::Ed25519Verifier final : public Verifier {
 public:
  // Null when it is no key.
  static std::shared_ptr<const Verifier> Make(const nlohmann::json& jwk) {
    const std::string bytes = BytesAt(jwk, "x").value_or("");
    if (bytes.size() != kEd25519KeySize) return nullptr;
    std::unique_ptr<EVP_PKEY, Free> key(::EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(bytes.data()),
        bytes.size()));
    if (key == nullptr) return nullptr;
    return std::shared_ptr<const Verifier>(new Ed25519Verifier(std::move(key)));
  }

  bool Verify(const Jwt& token) const override {
    if (token.signature.size() != kCurveSignatureSize) return false;
    const std::string_view text = token.signed_text();
    const auto bytes = [](std::string_view of) {
      return reinterpret_cast<const unsigned char*>(of.data());
    };
    const std::unique_ptr<EVP_MD_CTX, Free> context(::EVP_MD_CTX_new());
    const bool good =
        ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
        ::EVP_DigestVerify(context.get(), bytes(token.signature), token.signature.size(),
                           bytes(text), text.size()) == 1;
    ::ERR_clear_error();
    return good;
  }

 private:
  struct Free {
    void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };

  explicit Ed25519Verifier(std::unique_ptr<EVP_PKEY, Free> key) : key_(std::move(key)) {}

  const std::unique_ptr<EVP_PKEY, Free> key_;
};

KeySet::Key KeySet::Read(const nlohmann::json& jwk) {
  Key key;
  if (!jwk.is_object() || jwk.contains("d") || jwk.contains("k") || !IsForSignatures(jwk))
    return key;
  key.algorithms = AlgorithmsOf(jwk);
  if (jwk.contains("alg")) {
    const auto only = AlgorithmOf(TextAt(jwk, "alg"));
    key.algorithms &= only.has_value() ? SetOf({*only}) : std::bitset<kAlgorithms>();
  }
  if (jwk.contains("kid")) {
    key.id = TextAt(jwk, "kid");
    if (key.id.empty() || key.id.size() > kMaxKeyIdBytes) return key;
  }
  if (key.algorithms.none()) return key;
  key.verifier = key.algorithms.test(static_cast<size_t>(Algorithm::kEdDsa))
                     ? Ed25519Verifier::Make(jwk)
                     : CjoseVerifier::Make(jwk);
  ::ERR_clear_error();
  return key;
}

absl::StatusOr<KeySet> KeySet::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) return InvalidKeySet("is larger than 64 KiB");
  const auto object = ParseStrictObject(text);
  if (!object.has_value()) return InvalidKeySet("is no JSON object");
  const auto keys = object->find("keys");
  if (keys == object->end() || !keys->is_array()) return InvalidKeySet("has no array `keys`");
  if (keys->size() > kMaxKeys) return InvalidKeySet("has more than 100 keys");
  KeySet set;
  for (const nlohmann::json& jwk : *keys) {
    set.texts_.push_back(jwk.dump());
    Key key = Read(jwk);
    if (key.verifier != nullptr) set.keys_.push_back(std::move(key));
  }
  std::sort(set.texts_.begin(), set.texts_.end());
  // Which of two with one id is meant nobody can say.
  std::vector<bool> doubled(set.keys_.size());
  for (size_t i = 0; i < set.keys_.size(); ++i) {
    for (size_t j = i + 1; j < set.keys_.size() && !set.keys_[i].id.empty(); ++j) {
      if (set.keys_[i].id == set.keys_[j].id) doubled[i] = doubled[j] = true;
    }
  }
  std::vector<Key> kept;
  for (size_t i = 0; i < set.keys_.size(); ++i) {
    if (!doubled[i]) kept.push_back(std::move(set.keys_[i]));
  }
  set.keys_ = std::move(kept);
  set.left_out_ = keys->size() - set.keys_.size();
  if (set.keys_.empty()) return InvalidKeySet("has no key that is of use");
  return set;
}

const KeySet::Key* KeySet::Find(const Jwt& token) const {
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (!key.algorithms.test(static_cast<size_t>(token.algorithm))) continue;
    if (!token.key_id.empty()) {
      if (key.id == token.key_id) return &key;
    } else if (std::exchange(found, &key) != nullptr) {
      return nullptr;  // It could be either.
    }
  }
  return found;
}

KeySet::Answer KeySet::Verify(const Jwt& token) const {
  const Key* const key = Find(token);
  if (key == nullptr) return Answer::kNoSuchKey;
  return key->verifier->Verify(token) ? Answer::kGood : Answer::kBad;
}

}  // namespace kantoku::platform
