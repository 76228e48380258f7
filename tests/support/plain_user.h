#ifndef KANTOKU_TESTS_SUPPORT_PLAIN_USER_H_
#define KANTOKU_TESTS_SUPPORT_PLAIN_USER_H_

#include <memory>
#include <string>

#include "services/platform/identity/authenticator.h"

namespace kantoku::test {

// Takes everybody for the user "local", who may do everything but what administrators may.
class PlainUser final : public platform::Authenticator {
 public:
  PlainUser() : user_(Make()) {}

  absl::StatusOr<std::shared_ptr<const platform::Identity>> Authenticate(
      std::string_view, absl::FunctionRef<std::string()>, const platform::Now&) override {
    return user_;
  }

 private:
  static std::shared_ptr<const platform::Identity> Make() {
    auto user = std::make_shared<platform::Identity>(
        platform::Onlooker("local", {platform::kEveryNamespace}));
    user->client_id = "local";
    user->scopes = platform::Scopes::Parse(
        "inputs:spawn inputs:pull inputs:control inputs:read outputs:read outputs:write "
        "events:read");
    return user;
  }

  const std::shared_ptr<const platform::Identity> user_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PLAIN_USER_H_
