#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_

#include <cstdint>

#include "absl/time/time.h"
#include "services/inputs/engine/keys.h"

namespace kantoku::inputs {

// A token bucket in whole numbers: it never drifts, and what it gave in any stretch of steady time
// is at most the burst and what the rate adds in that time. Times are steady and never go back.
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
  // It may owe something afterwards.
  void Take(uint32_t cost, absl::Duration now);
  // Undoes a take as far as the burst allows.
  void GiveBack(uint32_t cost, absl::Duration now);
  // The first time at which Has is true.
  absl::Duration WhenHas(uint32_t cost, absl::Duration now) const;
  bool IsFull(absl::Duration now) const;
  double Tokens(absl::Duration now) const;
  const Rate& rate() const { return rate_; }

 private:
  // A token is as many units as its rate's period has microseconds: then each microsecond adds
  // `rate.tokens` units, without rest. At most 2^57.
  int64_t unit() const { return int64_t{rate_.period_ms} * 1'000; }
  int64_t capacity() const { return unit() * rate_.burst; }
  int64_t LevelAt(absl::Duration now) const;
  void Advance(absl::Duration now);

  Rate rate_;
  int64_t level_ = 0;
  int64_t updated_us_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_BUCKET_H_
