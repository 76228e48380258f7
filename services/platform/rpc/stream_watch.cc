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

// Whether a token that was not taken may be good all the same, and is to be shown again.
bool Passes(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

}  // namespace

StreamWatch::StreamWatch(Stream& stream, std::shared_ptr<const Identity> identity, const Now& now)
    : stream_(&stream) {
  MutexLock lock(mutex_);
  Shown(std::move(identity), now);
}

void StreamWatch::Look(Authenticator& authenticator, const Now& now) {
  TryKept(authenticator, now);
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
  if (ending_.has_value() || (!still.ok() && identity == identity_)) return Refuse(still, now);
  if (kept_ != nullptr || now.wall < ask_from_ || now.steady < next_ask_) return;
  next_ask_ = now.steady + kAskInterval;
  stream_->WantToken(std::max(absl::ZeroDuration(), identity_->expires - now.wall));
}

absl::Status StreamWatch::Show(std::string_view token, absl::FunctionRef<std::string()> peer,
                               Authenticator& authenticator, const Now& now) {
  auto shown = authenticator.Authenticate(token, peer, now);
  std::shared_ptr<const Kept> kept;
  // One that is too long will be no good later either, and is not to be held until then.
  if (Passes(shown.status()) && token.size() <= kMaxTokenBytes) {
    kept = std::make_shared<const Kept>(Kept{.token = std::string(token), .peer = peer()});
  }
  MutexLock lock(mutex_);
  kept_ = std::move(kept);
  if (kept_ != nullptr) return absl::OkStatus();
  KANTOKU_RETURN_IF_ERROR(shown.status());
  return Renew(*std::move(shown), now);
}

void StreamWatch::TryKept(Authenticator& authenticator, const Now& now) {
  std::shared_ptr<const Kept> kept;
  {
    MutexLock lock(mutex_);
    if (!ending_.has_value()) kept = kept_;
  }
  if (kept == nullptr) return;
  auto shown = authenticator.Authenticate(
      kept->token, [&] { return kept->peer; }, now);
  if (Passes(shown.status())) return;
  MutexLock lock(mutex_);
  // Gone, or it has shown another meanwhile.
  if (stream_ == nullptr || kept_ != kept) return;
  kept_ = nullptr;
  const absl::Status taken = shown.ok() ? Renew(*std::move(shown), now) : shown.status();
  if (!taken.ok()) Refuse(taken, now);
}

absl::Status StreamWatch::Renew(std::shared_ptr<const Identity> identity, const Now& now) {
  if (!IsSameCaller(*identity, *identity_)) {
    return Error(absl::StatusCode::kAborted, "TOKEN_DIFFERS",
                 "access_token: says something else than the one before; open another stream");
  }
  if (identity->expires > identity_->expires) Shown(std::move(identity), now);
  return absl::OkStatus();
}

void StreamWatch::EndSoon(const Now& now) {
  MutexLock lock(mutex_);
  if (!ending_.has_value()) ending_ = now.steady;
}

void StreamWatch::Forget() {
  MutexLock lock(mutex_);
  stream_ = nullptr;
  kept_ = nullptr;
}

void StreamWatch::Shown(std::shared_ptr<const Identity> identity, const Now& now) {
  identity_ = std::move(identity);
  const absl::Duration left = std::max(absl::ZeroDuration(), identity_->expires - now.wall);
  ask_from_ = identity_->expires - std::min(left / 5, kLongestNotice);
  next_ask_ = -absl::InfiniteDuration();
}

void StreamWatch::Refuse(const absl::Status& why, const Now& now) {
  if (!ending_.has_value()) {
    ending_ = now.steady;
    stream_->Refuse(why);
  } else if (now.steady >= *ending_ + kTimeToEnd) {
    stream_->Cancel();
  }
}

}  // namespace kantoku::platform
