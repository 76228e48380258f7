#include "services/executor-runtime/liveness.h"

#include <algorithm>

namespace kantoku::executor {
namespace {

constexpr int kPingsUntilSilent = 3;
constexpr absl::Duration kShortestInterval = absl::Milliseconds(10);
// At least so often in a grace: a connection on which a ping goes unanswered is given up, four
// intervals after the last one that was answered, before handlers are to stop.
constexpr double kPingsInGrace = 6;

}  // namespace

void Liveness::OnHelloSent(absl::Duration now) {
  OnDisconnected();
  hello_sent_ = now;
}

void Liveness::OnWelcome(absl::Duration ping_interval, absl::Duration grace) {
  grace_ = grace > absl::ZeroDuration() ? grace : absl::InfiniteDuration();
  interval_ = std::max(std::min(ping_interval, grace_ / kPingsInGrace), kShortestInterval);
  last_proof_ = hello_sent_;
  next_ping_ = hello_sent_ + interval_;
  connected_ = true;
}

void Liveness::OnDisconnected() {
  connected_ = false;
  unanswered_.clear();
  next_ping_ = absl::InfiniteDuration();
}

uint64_t Liveness::OnPingSent(absl::Duration now) {
  unanswered_.push_back({.number = ++last_number_, .sent = now});
  next_ping_ = now + interval_;
  return last_number_;
}

void Liveness::OnPong(uint64_t number) {
  while (!unanswered_.empty() && unanswered_.front().number <= number) {
    last_proof_ = unanswered_.front().sent;
    unanswered_.pop_front();
  }
}

absl::Duration Liveness::silent_at() const {
  const absl::Duration since = unanswered_.empty() ? next_ping_ : unanswered_.front().sent;
  return since + kPingsUntilSilent * interval_;
}

}  // namespace kantoku::executor
