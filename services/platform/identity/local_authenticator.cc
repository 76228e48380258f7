#include "services/platform/identity/authenticator.h"
#include "services/platform/status.h"

namespace kantoku::platform {

absl::Status Authenticator::CheckStill(const Identity& identity, const Now& now) {
  if (now.wall < identity.expires) return absl::OkStatus();
  return Error(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED", "the access token has ended");
}

bool IsExpulsion(const absl::Status& status) {
  const std::string why = ReasonOf(status);
  return why == "TOKEN_REVOKED" || why == "BLOCKED" || why == "TOKEN_BLOCKED";
}

LocalAuthenticator::LocalAuthenticator()
    : local_(std::make_shared<const Identity>(Administrator("local", "local"))) {}

absl::StatusOr<std::shared_ptr<const Identity>> LocalAuthenticator::Authenticate(
    std::string_view /*token*/, absl::FunctionRef<std::string()> /*peer*/, const Now& /*now*/) {
  return local_;
}

}  // namespace kantoku::platform
