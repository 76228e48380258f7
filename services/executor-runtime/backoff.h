#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_BACKOFF_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_BACKOFF_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace kantoku::executor {

// Pauses between attempts: each twice as long as the one before up to a bound, of which between
// half and all is taken at random, so that many executors do not return in step.
//
// Thread-compatible.
class Backoff {
 public:
  Backoff(absl::Duration first, absl::Duration longest)
      : first_(first), longest_(longest), next_(first) {}

  absl::Duration Next(uint64_t random) {
    const absl::Duration whole = next_;
    next_ = std::min(next_ * 2, longest_);
    return whole / 2 + whole / 2 * (static_cast<double>(random >> 11) / (uint64_t{1} << 53));
  }
  void Reset() { next_ = first_; }

 private:
  const absl::Duration first_;
  const absl::Duration longest_;
  absl::Duration next_;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_BACKOFF_H_
