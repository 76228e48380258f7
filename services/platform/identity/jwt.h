#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_H_

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/platform/identity/algorithm.h"

namespace kantoku::platform {

// A signed JWT in its compact form (RFC 7515, 7519), taken apart. Nothing of it is proven.
struct Jwt {
  std::string text;
  Algorithm algorithm = Algorithm::kRs256;
  std::string key_id;  // Empty: none.
  std::string type;    // In small letters, without `application/`; empty: none.
  nlohmann::json claims;
  size_t signed_size = 0;  // How much of the text is signed.
  std::string signature;

  std::string_view signed_text() const { return std::string_view(text).substr(0, signed_size); }
};

// UNAUTHENTICATED, INVALID_TOKEN says what is wrong with the form, and nothing of the content:
// size, parts, base64url that is not canonical (else a token would have several texts), JSON that
// is not strict, an algorithm that is not taken, `crit` or anything else that asks for more than a
// plain signature. Keys and addresses of keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are not
// looked at.
absl::StatusOr<Jwt> ParseJwt(std::string_view text);

// What every refusal of a token is.
absl::Status InvalidToken(std::string_view why);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_H_
