#include "services/inputs/digest.h"

#include <openssl/evp.h>

#include <array>

#include "services/platform/check.h"

namespace kantoku::inputs {

Digest DigestOf(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  KANTOKU_CHECK(EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr) ==
                1);
  Digest digest;
  for (int i = 0; i < 8; ++i) {
    digest.high = digest.high << 8 | hash[i];
    digest.low = digest.low << 8 | hash[i + 8];
  }
  return digest;
}

}  // namespace kantoku::inputs
