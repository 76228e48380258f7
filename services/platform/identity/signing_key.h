#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_SIGNING_KEY_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_SIGNING_KEY_H_

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace kantoku::platform {

// The key pair of an issuer, which signs access tokens with ES256.
//
// Thread-safe.
class SigningKey {
 public:
  // From a file of mode 0600 that holds it as a JWK (RFC 7517), which is made when it is missing.
  // FAILED_PRECONDITION when it is no plain file that only its owner may read; INVALID_ARGUMENT,
  // INVALID_SIGNING_KEY when it holds no such key.
  static absl::StatusOr<std::unique_ptr<SigningKey>> LoadOrCreate(const std::string& path);
  virtual ~SigningKey() = default;

  // A JWT of these claims with the header of an access token (RFC 9068).
  virtual std::string Sign(const nlohmann::json& claims) const = 0;

  // The key set to publish: the public half, whose id is its thumbprint (RFC 7638).
  virtual std::string KeySetText() const = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_SIGNING_KEY_H_
