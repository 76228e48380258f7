#include "tests/support/token_maker.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "services/platform/check.h"

namespace kantoku::test {
namespace {

std::string NumberOf(const EVP_PKEY* key, const char* name, size_t size = 0) {
  BIGNUM* number = nullptr;
  KANTOKU_CHECK(::EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(size == 0 ? static_cast<size_t>(BN_num_bytes(number)) : size, '\0');
  ::BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
  ::BN_free(number);
  return bytes;
}

// Two numbers of 32 bytes, which OpenSSL writes as DER.
std::string RawOfDer(const std::string& der) {
  const auto* next = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* const signature = ::d2i_ECDSA_SIG(nullptr, &next, static_cast<long>(der.size()));
  std::string raw(64, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(raw.data());
  ::BN_bn2binpad(::ECDSA_SIG_get0_r(signature), bytes, 32);
  ::BN_bn2binpad(::ECDSA_SIG_get0_s(signature), bytes + 32, 32);
  ::ECDSA_SIG_free(signature);
  return raw;
}

EVP_PKEY* Generate(const std::string& algorithm, int rsa_bits) {
  if (algorithm == "ES256") return ::EVP_EC_gen("P-256");
  if (algorithm == "EdDSA") return ::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  return ::EVP_RSA_gen(static_cast<unsigned>(rsa_bits));
}

}  // namespace

struct TokenMaker::Key {
  ~Key() { ::EVP_PKEY_free(pair); }
  EVP_PKEY* pair;
};

std::string Base64Url(std::string_view bytes) {
  return absl::WebSafeBase64Escape(absl::string_view(bytes.data(), bytes.size()));
}

TokenMaker::TokenMaker(std::string algorithm, std::string key_id, int rsa_bits)
    : algorithm_(std::move(algorithm)),
      key_id_(std::move(key_id)),
      key_(new Key{Generate(algorithm_, rsa_bits)}) {
  KANTOKU_CHECK(key_->pair != nullptr);
}

TokenMaker::~TokenMaker() = default;

nlohmann::json TokenMaker::Jwk() const {
  nlohmann::json jwk = {{"kid", key_id_}, {"alg", algorithm_}, {"use", "sig"}};
  if (algorithm_ == "ES256") {
    jwk["kty"] = "EC";
    jwk["crv"] = "P-256";
    jwk["x"] = Base64Url(NumberOf(key_->pair, OSSL_PKEY_PARAM_EC_PUB_X, 32));
    jwk["y"] = Base64Url(NumberOf(key_->pair, OSSL_PKEY_PARAM_EC_PUB_Y, 32));
  } else if (algorithm_ == "EdDSA") {
    std::string bytes(32, '\0');
    size_t size = bytes.size();
    ::EVP_PKEY_get_raw_public_key(key_->pair, reinterpret_cast<unsigned char*>(bytes.data()),
                                  &size);
    jwk["kty"] = "OKP";
    jwk["crv"] = "Ed25519";
    jwk["x"] = Base64Url(bytes);
  } else {
    jwk["kty"] = "RSA";
    jwk["n"] = Base64Url(NumberOf(key_->pair, OSSL_PKEY_PARAM_RSA_N));
    jwk["e"] = Base64Url(NumberOf(key_->pair, OSSL_PKEY_PARAM_RSA_E));
  }
  return jwk;
}

std::string TokenMaker::PublicPem() const {
  BIO* const out = ::BIO_new(::BIO_s_mem());
  ::PEM_write_bio_PUBKEY(out, key_->pair);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  std::string pem(data, static_cast<size_t>(size));
  ::BIO_free(out);
  return pem;
}

nlohmann::json TokenMaker::Header() const {
  return {{"alg", algorithm_}, {"kid", key_id_}, {"typ", "at+jwt"}};
}

std::string TokenMaker::Signature(std::string_view text) const {
  EVP_MD_CTX* const context = ::EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* const digest = algorithm_ == "EdDSA" ? nullptr : ::EVP_sha256();
  KANTOKU_CHECK(::EVP_DigestSignInit(context, &options, digest, nullptr, key_->pair) == 1);
  if (algorithm_ == "PS256") {
    ::EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
    ::EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST);
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  size_t size = 0;
  KANTOKU_CHECK(::EVP_DigestSign(context, nullptr, &size, bytes, text.size()) == 1);
  std::string signature(size, '\0');
  KANTOKU_CHECK(::EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size,
                                 bytes, text.size()) == 1);
  signature.resize(size);
  ::EVP_MD_CTX_free(context);
  return algorithm_ == "ES256" ? RawOfDer(signature) : signature;
}

std::string TokenMaker::SignTexts(std::string_view header, std::string_view claims) const {
  const std::string text = Base64Url(header) + "." + Base64Url(claims);
  return text + "." + Base64Url(Signature(text));
}

std::string TokenMaker::Sign(const nlohmann::json& header, const nlohmann::json& claims) const {
  return SignTexts(header.dump(), claims.dump());
}

std::string KeySetOf(const std::vector<nlohmann::json>& jwks) {
  return nlohmann::json{{"keys", jwks}}.dump();
}

nlohmann::json Claims(absl::Time now) {
  const int64_t seconds = absl::ToUnixSeconds(now);
  return {{"iss", kIssuer},        {"aud", kAudience}, {"sub", "anna"},
          {"client_id", "laptop"}, {"jti", "token-1"}, {"iat", seconds - 60},
          {"exp", seconds + 600},  {"scope", "admin"}};
}

}  // namespace kantoku::test
