#include "services/platform/rpc/stream_watch.h"

#include <algorithm>
#include <utility>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kLongestNotice = absl::Minutes(1);
constexpr absl::Duration kAskInterval = absl::Milliseconds(2'500);
// Some milliseconds are enough for a client that reads.
constexpr absl::Duration kTimeToEnd = absl::Seconds(1);

}  // namespace

StreamWatch::StreamWatch(Stream& stream, std::shared_ptr<const Identity> identity, const Now& now)
    : stream_(&stream) {
  MutexLock lock(mutex_);
  Shown(std::move(identity), now);
}

void StreamWatch::Look(Authenticator& authenticator, const Now& now) {
  std::shared_ptr<const Identity> identity;
  {
    MutexLock lock(mutex_);
    identity = identity_;
  }
  Now lately = now;
  lately.wall -= kGrace;
  const absl::Status still = authenticator.CheckStill(*identity, lately);
  MutexLock lock(mutex_);
  if (stream_ == nullptr) return;
  if (refused_.has_value() || (!still.ok() && identity == identity_)) return Refuse(still, now);
  if (now.wall < ask_from_ || now.steady < next_ask_) return;
  next_ask_ = now.steady + kAskInterval;
  stream_->WantToken(std::max(absl::ZeroDuration(), identity_->expires - now.wall));
}

absl::Status StreamWatch::Renew(std::shared_ptr<const Identity> identity, const Now& now) {
  MutexLock lock(mutex_);
  if (!IsSameCaller(*identity, *identity_)) {
    return Error(absl::StatusCode::kAborted, "TOKEN_DIFFERS",
                 "access_token: says something else than the one before; open another stream");
  }
  if (identity->expires > identity_->expires) Shown(std::move(identity), now);
  return absl::OkStatus();
}

void StreamWatch::Forget() {
  MutexLock lock(mutex_);
  stream_ = nullptr;
}

void StreamWatch::Shown(std::shared_ptr<const Identity> identity, const Now& now) {
  identity_ = std::move(identity);
  const absl::Duration left = std::max(absl::ZeroDuration(), identity_->expires - now.wall);
  ask_from_ = identity_->expires - std::min(left / 5, kLongestNotice);
  next_ask_ = -absl::InfiniteDuration();
}

void StreamWatch::Refuse(const absl::Status& why, const Now& now) {
  if (!refused_.has_value()) {
    refused_ = now.steady;
    stream_->Refuse(why);
  } else if (now.steady >= *refused_ + kTimeToEnd) {
    stream_->Cancel();
  }
}

}  // namespace kantoku::platform
