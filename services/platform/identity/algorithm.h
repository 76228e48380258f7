#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_ALGORITHM_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_ALGORITHM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kantoku::platform {

// Signatures that are taken; no other is looked at, whatever a key or a token says.
enum class Algorithm : uint8_t { kRs256, kPs256, kEs256, kEdDsa };
inline constexpr size_t kAlgorithms = 4;

// As in the header of a token; Ed25519 is both `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864).
std::optional<Algorithm> AlgorithmOf(std::string_view name);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_ALGORITHM_H_
