#include "services/platform/identity/jwk.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "services/platform/status.h"

namespace kantoku::platform {

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string bytes;
  if (!absl::WebSafeBase64Unescape(ToAbsl(text), &bytes)) return std::nullopt;
  if (ToStd(absl::WebSafeBase64Escape(bytes)) != text) return std::nullopt;
  return bytes;
}

std::optional<std::string> KeyForCjose(const nlohmann::json& jwk,
                                       std::initializer_list<const char*> members) {
  nlohmann::json shown;
  for (const char* const name : {"kty", "crv"}) {
    if (jwk.contains(name)) shown[name] = jwk[name];
  }
  for (const char* const name : members) {
    const auto found = jwk.find(name);
    if (found == jwk.end() || !found->is_string()) return std::nullopt;
    const auto bytes = DecodeBase64Url(found->get_ref<const std::string&>());
    if (!bytes.has_value() || bytes->empty()) return std::nullopt;
    shown[name] = *found;
  }
  return shown.dump();
}

}  // namespace kantoku::platform
