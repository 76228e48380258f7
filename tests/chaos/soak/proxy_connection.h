#ifndef KANTOKU_TESTS_CHAOS_SOAK_PROXY_CONNECTION_H_
#define KANTOKU_TESTS_CHAOS_SOAK_PROXY_CONNECTION_H_

#include <poll.h>

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/chaos/soak/proxy.h"

namespace kantoku::soak {

// A connection through a proxy: one that was accepted and one that goes on to the target.
//
// Confined to the proxy's thread.
class ProxyConnection {
 public:
  static constexpr size_t kFds = 2;  // That Prepare adds and Work wants back.

  // Takes over `client`. At `half_close_at` it is half-closed: what comes from the client
  // (`upwards`), or from the target, ends there, and a second later the rest.
  ProxyConnection(int client, uint16_t target, absl::Duration half_close_at, bool upwards);
  ~ProxyConnection();
  ProxyConnection(const ProxyConnection&) = delete;
  ProxyConnection& operator=(const ProxyConnection&) = delete;

  // Adds what to poll for. Returns when to call Work at the latest.
  absl::Duration Prepare(const LinkMood& mood, std::vector<pollfd>& fds) const;
  void Work(std::span<const pollfd> fds, const LinkMood& mood, LinkDeeds& deeds);
  bool over() const { return over_; }

 private:
  struct Chunk {
    std::string data;
    size_t sent = 0;
    absl::Duration due;
  };
  // One direction.
  struct Flow {
    int from = -1;
    int to = -1;
    std::deque<Chunk> chunks;
    size_t held = 0;         // Bytes in `chunks`.
    absl::Duration free_at;  // When the line has room for more.
    bool ended = false;      // Nothing more comes from `from`.
    bool closed = false;     // And `to` was told so.
  };

  void Keep(const LinkMood& mood, LinkDeeds& deeds);
  bool Receive(Flow& flow, const LinkMood& mood, LinkDeeds& deeds);
  bool Send(Flow& flow);
  void Reset();

  const int client_;
  const int server_;
  Flow up_;
  Flow down_;
  absl::Duration half_close_at_;
  const bool upwards_;
  bool half_closed_ = false;
  bool silenced_ = false;  // Counted as held by the present silent cut.
  absl::Duration last_byte_;
  bool over_ = false;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_PROXY_CONNECTION_H_
