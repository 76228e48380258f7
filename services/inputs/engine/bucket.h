#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_

#include <cstdint>

#include "absl/time/time.h"
#include "services/inputs/engine/keys.h"

namespace kantoku::inputs {

// A token bucket in whole numbers: it never drifts, and what is taken of it in any stretch of
// steady time is at most the burst and what the rate adds in that time, but for what it owes
// afterwards (see Take). Times are steady and never go back.
//
// Tokens can be held for somebody who will take them later: meanwhile they fill the bucket, so that
// it gets no more beside them than it would have without him.
//
// Thread-compatible.
class Bucket {
 public:
  // Empty, without a rate.
  Bucket() = default;

  // What it holds stays, as far as the burst allows.
  void SetRate(const Rate& rate, absl::Duration now);
  void Fill(absl::Duration now);
  void Drain(absl::Duration now);

  // Whether it holds what a take of this size waits for: the burst, where that is less.
  bool Has(uint32_t cost, absl::Duration now) const;
  // Whether it holds takes of so many tokens together.
  bool HasAll(uint64_t tokens, absl::Duration now) const;
  // It may owe something afterwards.
  void Take(uint32_t cost, absl::Duration now);
  // Nobody else gets so much of what it holds, until it is taken or released.
  void Hold(uint32_t cost, absl::Duration now);
  // Whether it still holds what such a take waits for, as the rate may have changed since.
  bool HasHeld(uint32_t cost, absl::Duration now) const;
  void TakeHeld(uint32_t cost, absl::Duration now);
  void Release(uint32_t cost, absl::Duration now);
  // The first time at which Has is true; infinite: not while so much is held.
  absl::Duration WhenHas(uint32_t cost, absl::Duration now) const;
  bool IsFull(absl::Duration now) const;
  // Without what is held: that can be taken.
  double Tokens(absl::Duration now) const;
  int64_t held() const { return held_; }
  const Rate& rate() const { return rate_; }

 private:
  // A token is as many units as its rate's period has microseconds: then each microsecond adds
  // `rate.tokens` units, without rest. At most 2^57.
  int64_t unit() const { return int64_t{rate_.period_ms} * 1'000; }
  int64_t capacity() const { return unit() * rate_.burst; }
  // Beside what is held.
  int64_t room() const { return capacity() - unit() * held_; }
  int64_t LevelAt(absl::Duration now) const;
  void Advance(absl::Duration now);

  Rate rate_;
  int64_t held_ = 0;   // In tokens.
  int64_t level_ = 0;  // Without what is held: at most room().
  int64_t updated_us_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_
