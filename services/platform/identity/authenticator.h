#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_AUTHENTICATOR_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_AUTHENTICATOR_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/clock.h"
#include "services/platform/identity/identity.h"

namespace kantoku::platform {

// A token that is longer is no good.
inline constexpr size_t kMaxTokenBytes = 8'192;

// Says who bears an access token.
//
// Thread-safe. Never blocks.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The bearer, at the time `now`. `token` is empty where none was shown; `peer` says where it
  // comes from, and is only asked for tokens that are new.
  //
  // UNAUTHENTICATED: NO_TOKEN, INVALID_TOKEN (the message says what is wrong with it, and nothing
  // of what is in it), TOKEN_EXPIRED. UNAVAILABLE, KEYS_UNKNOWN: its issuer's keys are being
  // fetched; repeat. RESOURCE_EXHAUSTED, TOO_MANY_BAD_TOKENS: this peer, or all together, have
  // shown too many that were no good; repeat later.
  virtual absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) = 0;

  // Whether somebody who was found good before still is, for streams that last. UNAUTHENTICATED as
  // above; TOKEN_REVOKED, BLOCKED, TOKEN_BLOCKED.
  virtual absl::Status CheckStill(const Identity& identity, const Now& now);
};

// Whether it says, of somebody who was found good before, that he is to be let in no more; that his
// token has ended is no such thing.
bool IsExpulsion(const absl::Status& status);

// Takes everybody for the same administrator: for servers that only their own computer can reach.
class LocalAuthenticator final : public Authenticator {
 public:
  LocalAuthenticator();

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) override;

 private:
  const std::shared_ptr<const Identity> local_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_AUTHENTICATOR_H_
