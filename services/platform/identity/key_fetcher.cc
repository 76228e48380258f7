#include "services/platform/identity/key_fetcher.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "services/platform/identity/discovery.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::platform {

KeyFetcher::KeyFetcher(std::vector<KeySource> sources, const Options& options, Clock& clock,
                       Take take)
    : sources_(std::move(sources)),
      options_(options),
      clock_(clock),
      take_(std::move(take)),
      schedules_(sources_.size(), Schedule{.pause = options.first_pause}) {
  threads_.reserve(sources_.size());
  for (size_t source = 0; source < sources_.size(); ++source) {
    threads_.emplace_back([this, source] { Run(source); });
  }
}

KeyFetcher::~KeyFetcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (const KeySource& source : sources_) source.http.Stop();
  for (std::thread& thread : threads_) thread.join();
}

void KeyFetcher::Want(size_t source) {
  MutexLock lock(mutex_);
  if (std::exchange(schedules_[source].wanted, true)) return;
  changed_.SignalAll();
}

absl::Duration KeyFetcher::DueOf(const Schedule& schedule) const {
  return schedule.wanted ? std::min(schedule.next, schedule.earliest) : schedule.next;
}

void KeyFetcher::Run(size_t source) {
  ::pthread_setname_np(::pthread_self(), "keys");
  MutexLock lock(mutex_);
  Schedule& schedule = schedules_[source];
  while (!stopping_) {
    const absl::Duration now = clock_.Read().steady;
    if (now < DueOf(schedule)) {
      clock_.Wait(mutex_, changed_, DueOf(schedule));
      continue;
    }
    schedule.wanted = false;
    mutex_.Unlock();
    const absl::Status fetched = Fetch(source);
    mutex_.Lock();
    const absl::Duration ended = clock_.Read().steady;
    schedule.earliest = ended + options_.least_interval;
    if (fetched.ok()) {
      schedule.next = ended + options_.interval;
      schedule.pause = options_.first_pause;
      continue;
    }
    schedule.next = ended + schedule.pause;
    schedule.earliest = std::max(schedule.earliest, schedule.next);
    schedule.pause = std::min(2 * schedule.pause, options_.longest_pause);
    if (stopping_) break;
    Log(LogLevel::kWarn, "auth: an issuer's keys cannot be had",
        {{"issuer", sources_[source].issuer}, {"error", std::string(fetched.message())}});
  }
}

absl::Status KeyFetcher::Fetch(size_t index) const {
  const KeySource& source = sources_[index];
  std::string url = source.jwks_uri;
  if (url.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const Discovery found, Discovery::Fetch(source.http, source.issuer));
    KANTOKU_ASSIGN_OR_RETURN(url, found.Address("jwks_uri"));
  }
  KANTOKU_ASSIGN_OR_RETURN(const std::string keys, source.http.Get(url));
  return take_(index, keys);
}

}  // namespace kantoku::platform
