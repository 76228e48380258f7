#include "client/cpp/src/retry.h"

#include <algorithm>

#include "services/platform/rpc/status_details.h"

namespace kantoku::internal {
namespace {

struct Pauses {
  absl::Duration first;
  absl::Duration longest;
};

constexpr Pauses kAway = {absl::Milliseconds(50), absl::Seconds(2)};
// At least what the server asks for (RetryInfo), which is the same for whatever is full.
constexpr Pauses kFull = {absl::Seconds(2 * platform::kRetryDelaySeconds), absl::Seconds(5)};

}  // namespace

bool IsWorthRepeating(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:         // By a server that stops; our own is known apart.
    case absl::StatusCode::kDeadlineExceeded:  // Of one try.
      return true;
    default:
      return false;
  }
}

absl::Status AsFailure(const absl::Status& status) {
  return absl::IsCancelled(status) ? absl::UnavailableError(status.message()) : status;
}

bool IsPermanent(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

absl::Duration PauseAfter(const absl::Status& status, int failures, uint64_t random) {
  const Pauses& pauses = absl::IsResourceExhausted(status) ? kFull : kAway;
  constexpr int kMostDoublings = 10;
  const int doublings = std::clamp(failures - 1, 0, kMostDoublings);
  const absl::Duration pause = std::min(pauses.longest, pauses.first * (1 << doublings));
  const double share = static_cast<double>(random >> 11) / static_cast<double>(uint64_t{1} << 53);
  return pause * (0.5 + 0.5 * share);
}

}  // namespace kantoku::internal
