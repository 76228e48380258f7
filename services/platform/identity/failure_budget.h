#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_FAILURE_BUDGET_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_FAILURE_BUDGET_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// How many failures are put up with: a token bucket for each source, and one for all of them.
//
// Thread-compatible. Times are steady.
class FailureBudget {
 public:
  struct Rate {
    double per_second;
    double burst;
  };
  struct Options {
    Rate of_one = {.per_second = 50, .burst = 200};
    Rate of_all = {.per_second = 1'000, .burst = 2'000};
    size_t max_sources = 10'000;  // More are not told apart.
  };

  explicit FailureBudget(const Options& options) : options_(options), all_{options.of_all.burst} {}

  // Whether one more failure of this source is put up with.
  bool HasRoom(std::string_view source, absl::Duration now);
  void Failed(std::string_view source, absl::Duration now);

 private:
  struct Bucket {
    double level;
    absl::Duration filled = -absl::InfiniteDuration();
  };

  static void Fill(Bucket& bucket, const Rate& rate, absl::Duration now);
  // Whether sources that have no bucket share one, which has no name.
  bool IsCrowded() const { return sources_.size() >= options_.max_sources; }
  Bucket* Find(std::string_view source);  // Null: it has not failed lately.
  void ForgetFull(absl::Duration now);

  const Options options_;
  Bucket all_;
  absl::flat_hash_map<std::string, Bucket> sources_;  // That are not full.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_FAILURE_BUDGET_H_
