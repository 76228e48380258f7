#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_JWK_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_JWK_H_

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace kantoku::platform {

// Of base64url as tokens and keys have it (RFC 7515, section 2): no padding, no other alphabet, no
// bits left over. Nothing when it is not that.
std::optional<std::string> DecodeBase64Url(std::string_view text);

// The JSON Web Key `jwk` as cjose may be shown it: its type, its curve and these members, of which
// each is base64url. Nothing when one of them is not: there, and in members that nobody needs,
// cjose would end the program.
std::optional<std::string> KeyForCjose(const nlohmann::json& jwk,
                                       std::initializer_list<const char*> members);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_JWK_H_
