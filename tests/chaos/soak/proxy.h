#ifndef KANTOKU_TESTS_CHAOS_SOAK_PROXY_H_
#define KANTOKU_TESTS_CHAOS_SOAK_PROXY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "services/platform/mutex.h"

namespace kantoku::soak {

// How a link treats what goes through it.
struct LinkMood {
  enum class Cut : uint8_t {
    kNone,
    kReset,   // Connections are reset, new ones too.
    kSilent,  // Nothing gets through, and nobody is told: connections stay, new ones are taken.
  };
  Cut cut = Cut::kNone;
  absl::Duration latency;                                // One way.
  int64_t bytes_per_second = 0;                          // One way; 0: no limit.
  absl::Duration idle_limit = absl::InfiniteDuration();  // Closes what was silent for so long.
  // Half-closes each connection some time after it was made, on average after this; infinite: not.
  absl::Duration half_close_after = absl::InfiniteDuration();
};

// What a link did to those who used it.
struct LinkDeeds {
  uint64_t connections = 0;
  uint64_t resets = 0;    // Connections that a cut broke or refused.
  uint64_t silences = 0;  // Connections that a silent cut held.
  uint64_t idle_closes = 0;
  uint64_t half_closes = 0;
  uint64_t delayed = 0;  // Bytes that were held back.
};

// A proxy for TCP on this machine: forwards what arrives on its links to where each leads, in the
// mood of the link.
//
// Guarantees: what it forwards is neither changed nor reordered; a connection holds at most 256 KiB
// in each direction; what a connection loses, it loses by being closed.
//
// Thread-safe.
class Proxy {
 public:
  // `seed` decides when connections are half-closed.
  explicit Proxy(uint64_t seed);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // A link to a port of 127.0.0.1; its number, which others take.
  size_t AddLink(const std::string& target);
  // Where it is to be reached.
  std::string address(size_t link) const;

  void SetMood(size_t link, const LinkMood& mood);
  LinkMood mood(size_t link) const;
  LinkDeeds deeds(size_t link) const;

 private:
  struct Link;
  class Loop;

  void Wake();

  const uint64_t seed_;
  int wake_fd_ = -1;  // Readable when there is something new for the loop.
  std::atomic<bool> stopping_{false};
  mutable platform::Mutex mu_;
  std::vector<std::unique_ptr<Link>> links_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_PROXY_H_
