#ifndef KANTOKU_CLIENT_CPP_SRC_RETRY_H_
#define KANTOKU_CLIENT_CPP_SRC_RETRY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/src/call_set.h"
#include "client/cpp/src/environment.h"
#include "client/cpp/src/timer.h"
#include "services/platform/rpc/call_queue.h"

namespace kantoku::internal {

// What calls need beside their RPC; one of each per connection.
struct CallRuntime {
  const Environment& environment;
  Timer& timer;
  CallSet& calls;
  platform::CallQueue& queue;
};

// How long a call goes on.
struct RetryLimits {
  absl::Duration retry_for;                           // From its first try on.
  absl::Duration timeout = absl::InfiniteDuration();  // The caller's.
};

// Whether the same request may succeed if it is sent again as it is.
bool IsWorthRepeating(const absl::Status& status);

// What a caller is told of a call that is not repeated any more: to it, CANCELLED is what its own
// side does, so a server that broke off was UNAVAILABLE.
absl::Status AsFailure(const absl::Status& status);

// Whether a stream that ended with `status` would end so again.
bool IsPermanent(const absl::Status& status);

// The pause after `status`, which is the `failures`-th failure in a row, from 1. Between half and
// all of a length that doubles up to a bound; longer for a server that is full than for one that is
// away.
absl::Duration PauseAfter(const absl::Status& status, int failures, uint64_t random);

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_RETRY_H_
