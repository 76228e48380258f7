#ifndef KANTOKU_TESTS_SUPPORT_TOKEN_MAKER_H_
#define KANTOKU_TESTS_SUPPORT_TOKEN_MAKER_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace kantoku::test {

std::string Base64Url(std::string_view bytes);

// A key pair that signs tokens, good ones and others.
//
// Thread-compatible.
class TokenMaker {
 public:
  // "RS256", "PS256", "ES256" or "EdDSA"; of RSA with this many bits.
  explicit TokenMaker(std::string algorithm, std::string key_id = "key-1", int rsa_bits = 2'048);
  ~TokenMaker();

  // The public key.
  nlohmann::json Jwk() const;
  // As PEM, which an HMAC might be made with.
  std::string PublicPem() const;

  // {"alg": …, "kid": …, "typ": "at+jwt"}.
  nlohmann::json Header() const;
  std::string Sign(const nlohmann::json& header, const nlohmann::json& claims) const;
  std::string Sign(const nlohmann::json& claims) const { return Sign(Header(), claims); }
  // Of texts that need not be JSON.
  std::string SignTexts(std::string_view header, std::string_view claims) const;
  // The signature of any text, as bytes.
  std::string Signature(std::string_view text) const;

 private:
  struct Key;

  const std::string algorithm_;
  const std::string key_id_;
  const std::unique_ptr<Key> key_;
};

std::string KeySetOf(const std::vector<nlohmann::json>& jwks);

// What an issuer says of anna with her laptop, who may do everything in `default`: made a minute
// before `now`, good for ten minutes from then.
nlohmann::json Claims(absl::Time now);
inline constexpr char kIssuer[] = "https://id.example";
inline constexpr char kAudience[] = "kantoku";

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_TOKEN_MAKER_H_
