#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_FETCHER_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_FETCHER_H_

#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// Where an issuer publishes its keys.
struct KeySource {
  std::string issuer;    // Its URL, as in `iss`.
  std::string jwks_uri;  // Empty: as its OpenID discovery document says.
  HttpClient& http;      // Outlives the fetcher.
};

// Keeps the keys of issuers up to date: fetched at the start, then every few minutes, after a
// failure soon again with growing pauses, and when somebody wants them. Each source has a thread of
// its own, so that one that answers slowly holds up no other. One request to each at a time;
// whoever wants how much, an issuer is asked at most once in `least_interval`, and after failures
// as the pauses say.
//
// Thread-safe. Owns its threads.
class KeyFetcher {
 public:
  struct Options {
    absl::Duration interval = absl::Minutes(10);
    absl::Duration least_interval = absl::Seconds(10);
    absl::Duration first_pause = absl::Seconds(1);  // After a failure; doubles up to
    absl::Duration longest_pause = absl::Minutes(1);
  };
  // Takes a key set that was fetched; an error is a failure like any other. On the source's
  // thread.
  using Take = std::function<absl::Status(size_t source, std::string_view text)>;

  KeyFetcher(std::vector<KeySource> sources, const Options& options, Clock& clock, Take take);
  // Ends requests that are under way.
  ~KeyFetcher();

  // Fetches the keys of a source as soon as it may.
  void Want(size_t source);

 private:
  struct Schedule {
    absl::Duration next = -absl::InfiniteDuration();      // Steady time.
    absl::Duration earliest = -absl::InfiniteDuration();  // For those who want them.
    absl::Duration pause;
    bool wanted = false;
  };

  void Run(size_t source);
  absl::Duration DueOf(const Schedule& schedule) const;
  absl::Status Fetch(size_t source) const;

  const std::vector<KeySource> sources_;
  const Options options_;
  Clock& clock_;
  const Take take_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<Schedule> schedules_ ABSL_GUARDED_BY(mutex_);  // By source.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // By source.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_FETCHER_H_
