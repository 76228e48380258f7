#include "services/platform/identity/algorithm.h"

namespace kantoku::platform {

std::optional<Algorithm> AlgorithmOf(std::string_view name) {
  if (name == "RS256") return Algorithm::kRs256;
  if (name == "PS256") return Algorithm::kPs256;
  if (name == "ES256") return Algorithm::kEs256;
  if (name == "EdDSA" || name == "Ed25519") return Algorithm::kEdDsa;
  return std::nullopt;
}

}  // namespace kantoku::platform
