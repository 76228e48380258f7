#include "services/platform/identity/authenticator.h"

namespace kantoku::platform {

LocalAuthenticator::LocalAuthenticator()
    : local_(std::make_shared<const Identity>(Administrator("local", "local"))) {}

absl::StatusOr<std::shared_ptr<const Identity>> LocalAuthenticator::Authenticate(
    std::string_view /*token*/, absl::FunctionRef<std::string()> /*peer*/, const Now& /*now*/) {
  return local_;
}

}  // namespace kantoku::platform
