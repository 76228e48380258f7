#include "services/platform/identity/bearer.h"

#include "absl/strings/match.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr absl::string_view kScheme = "bearer ";

}  // namespace

std::string_view BearerOf(std::string_view authorization) {
  if (!absl::StartsWithIgnoreCase(ToAbsl(authorization), kScheme)) return {};
  authorization.remove_prefix(kScheme.size());
  return authorization;
}

}  // namespace kantoku::platform
