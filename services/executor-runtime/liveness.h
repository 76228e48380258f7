#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_LIVENESS_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_LIVENESS_H_

#include <cstdint>
#include <deque>

#include "absl/time/time.h"

namespace kantoku::executor {

// Whether Inputs can be heard, and how long handlers may go on when it cannot. Times are steady.
//
// Inputs gives the tasks of a lost session away when the grace is over. It cannot have lost us
// before it answered a ping, so the time since sending the last ping that was answered is an upper
// bound of how much grace has passed; at 80 % of it handlers are to stop.
//
// Thread-compatible.
class Liveness {
 public:
  // A new connection: what was sent on the old one will not be answered. Hello counts as a ping
  // that welcome answers.
  void OnHelloSent(absl::Duration now);
  void OnWelcome(absl::Duration ping_interval, absl::Duration grace);
  void OnDisconnected();

  bool PingDue(absl::Duration now) const { return connected_ && now >= next_ping_; }
  bool awaiting_pong() const { return !unanswered_.empty(); }
  uint64_t next_number() const { return last_number_ + 1; }
  // The number for a ping that is sent now.
  uint64_t OnPingSent(absl::Duration now);
  // Answers that ping and those before it.
  void OnPong(uint64_t number);

  // When the connection is to be given up: three intervals after a ping that was not answered, or
  // that was due and could not even be sent.
  absl::Duration silent_at() const;
  // When handlers are to stop; infinite before the first welcome.
  absl::Duration stop_at() const { return last_proof_ + grace_ * 0.8; }
  absl::Duration next_ping() const { return next_ping_; }

 private:
  struct Ping {
    uint64_t number;
    absl::Duration sent;
  };

  bool connected_ = false;
  uint64_t last_number_ = 0;
  std::deque<Ping> unanswered_;
  absl::Duration hello_sent_ = absl::ZeroDuration();
  absl::Duration last_proof_ = absl::ZeroDuration();
  absl::Duration interval_ = absl::Seconds(2);
  absl::Duration grace_ = absl::InfiniteDuration();
  absl::Duration next_ping_ = absl::InfiniteDuration();
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_LIVENESS_H_
