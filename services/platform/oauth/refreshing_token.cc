#include "services/platform/oauth/refreshing_token.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "services/platform/log/log.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr int64_t kJitterSteps = 1'000;

class RefreshingToken final : public TokenSource {
 public:
  // Null: there is none yet.
  RefreshingToken(RefreshingTokenOptions options, Clock& clock, std::optional<AccessToken> first)
      : options_(std::move(options)), clock_(clock), pause_(options_.first_pause) {
    {
      MutexLock lock(mutex_);
      if (first.has_value()) {
        Take(*std::move(first));
      } else {
        due_ = clock_.Read().steady + NextPause();
      }
    }
    thread_ = std::thread([this] { Run(); });
  }

  ~RefreshingToken() override {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      changed_.SignalAll();
    }
    if (options_.stop) options_.stop();
    thread_.join();
  }

  std::string Token() override {
    MutexLock lock(mutex_);
    return token_;
  }

  bool Renew(std::string_view token) override {
    MutexLock lock(mutex_);
    if (token != token_) return true;
    if (!std::exchange(wanted_, true)) changed_.SignalAll();
    return !given_up_;
  }

 private:
  void Run() {
    ::pthread_setname_np(::pthread_self(), "token");
    MutexLock lock(mutex_);
    while (!stopping_) {
      const absl::Duration due = wanted_ ? std::min(due_, earliest_) : due_;
      if (clock_.Read().steady < due) {
        clock_.Wait(mutex_, changed_, due);
        continue;
      }
      mutex_.Unlock();
      auto fetched = options_.fetch();
      mutex_.Lock();
      if (stopping_) return;
      fetched.ok() ? Replace(*std::move(fetched)) : Fail(fetched.status());
    }
  }

  void Replace(AccessToken token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Take(std::move(token));
    // As long as each is found wanting, the next is not to be had at once.
    earliest_ = wanted_ ? clock_.Read().steady + NextPause() : -absl::InfiniteDuration();
    if (!std::exchange(wanted_, false)) pause_ = options_.first_pause;
  }

  void Take(AccessToken token) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const Now now = clock_.Read();
    const absl::Duration life = token.expires - now.wall;
    // From 0.6 to 0.733 of it, so that those which began together do not come together for ever.
    const auto random = static_cast<int64_t>(options_.random() % kJitterSteps);
    const absl::Duration most = life * 3 / 5 + life * 2 / 15 * random / kJitterSteps;
    due_ = now.steady + std::max(most, options_.first_pause);
    token_ = std::move(token.text);
    given_up_ = false;
  }

  void Fail(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool may_pass = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
    given_up_ = !may_pass;
    if (given_up_) pause_ = options_.longest_pause;
    due_ = clock_.Read().steady + NextPause();
    earliest_ = due_;
    Log(LogLevel::kWarn, "auth: no new access token can be had", {{"error", status}});
  }

  absl::Duration NextPause() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return std::exchange(pause_, std::min(2 * pause_, options_.longest_pause));
  }

  const RefreshingTokenOptions options_;
  Clock& clock_;

  Mutex mutex_;
  CondVar changed_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  absl::Duration due_ ABSL_GUARDED_BY(mutex_);  // Steady time of the next fetch,
  absl::Duration earliest_ ABSL_GUARDED_BY(mutex_) =
      -absl::InfiniteDuration();  // and of one that is wanted sooner.
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_);
  bool wanted_ ABSL_GUARDED_BY(mutex_) = false;    // Sooner than it is due.
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;  // The last failure is one that stays.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<TokenSource>> OpenRefreshingToken(RefreshingTokenOptions options,
                                                                 Clock& clock) {
  auto first = options.fetch();
  if (first.ok()) {
    return std::make_shared<RefreshingToken>(std::move(options), clock, *std::move(first));
  }
  if (!options.first_may_come_later || !absl::IsUnavailable(first.status())) return first.status();
  return std::make_shared<RefreshingToken>(std::move(options), clock, std::nullopt);
}

}  // namespace kantoku::platform
