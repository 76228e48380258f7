#ifndef KANTOKU_SERVICES_PLATFORM_OAUTH_REFRESHING_TOKEN_H_
#define KANTOKU_SERVICES_PLATFORM_OAUTH_REFRESHING_TOKEN_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/oauth/access_token.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

struct RefreshingTokenOptions {
  // Gets a token that is another than the one before. On one thread at a time; may block.
  std::function<absl::StatusOr<AccessToken>()> fetch;
  // Ends a fetch that is under way, and those to come.
  std::function<void()> stop;
  std::function<uint64_t()> random;

  // Whether there may be no token at first, while UNAVAILABLE is what the first fetch says.
  bool first_may_come_later = false;
  absl::Duration first_pause = absl::Seconds(1);  // After a failure; doubles up to
  absl::Duration longest_pause = absl::Minutes(1);
};

// A source whose token is replaced in time, on a thread of its own: when about two thirds of its
// life are over, and at once when a newer one is wanted (of one after the other: with growing
// pauses between them). A fetch that fails is repeated after pauses that grow, so that
// a token which has ended is shown until the next: what the servers then say is what is wrong.
// After failures that time does not mend (the login was revoked) the pause is the longest at once,
// and Renew promises nothing until there is another.
//
// Fetches the first token before it returns; errors are those of `fetch`, unless the first may come
// later. Its destructor ends a
// fetch that is under way. The clock outlives it.
absl::StatusOr<std::shared_ptr<TokenSource>> OpenRefreshingToken(RefreshingTokenOptions options,
                                                                 Clock& clock);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_OAUTH_REFRESHING_TOKEN_H_
