#include "services/platform/auth/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "services/platform/check.h"

namespace kantoku::platform {

std::string MakeSecret() {
  std::array<unsigned char, 32> bytes{};
  KANTOKU_CHECK(::RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

bool IsSecretText(std::string_view text) {
  return text.size() == kSecretSize && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

SecretDigest DigestOf(std::string_view secret) {
  SecretDigest digest{};
  KANTOKU_CHECK(::EVP_Digest(secret.data(), secret.size(), digest.data(), nullptr, ::EVP_sha256(),
                             nullptr) == 1);
  return digest;
}

bool AreEqual(const SecretDigest& one, const SecretDigest& other) {
  return ::CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace kantoku::platform
