#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_DISCOVERY_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_DISCOVERY_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "services/platform/identity/http_client.h"

namespace kantoku::platform {

// The OpenID discovery document of an issuer.
//
// Thread-compatible.
class Discovery {
 public:
  // Blocks. UNAVAILABLE, FETCH_FAILED when there is none at its place, or it names another issuer.
  static absl::StatusOr<Discovery> Fetch(HttpClient& http, const std::string& issuer);

  // The address that it gives for a name such as `jwks_uri`: https, or http of this computer where
  // the issuer is one, too. INVALID_ARGUMENT, INVALID_URL, or UNAVAILABLE, FETCH_FAILED otherwise.
  absl::StatusOr<std::string> Address(const char* name) const;

 private:
  Discovery(std::string url, nlohmann::json document, bool own)
      : url_(std::move(url)), document_(std::move(document)), own_(own) {}

  std::string url_;
  nlohmann::json document_;
  bool own_;  // Whether the issuer is one of this computer.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_DISCOVERY_H_
