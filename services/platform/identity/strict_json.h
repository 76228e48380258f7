#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_STRICT_JSON_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_STRICT_JSON_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace kantoku::platform {

// An object of JSON as strangers may send it; absent when it is none, is cut off or followed by
// more, holds text that is no UTF-8 or a number beyond a double, names a member twice (RFC 8725
// asks to refuse what parsers read in different ways) or lies deeper than 8 levels.
std::optional<nlohmann::json> ParseStrictObject(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_STRICT_JSON_H_
