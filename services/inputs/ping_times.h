#ifndef KANTOKU_SERVICES_INPUTS_PING_TIMES_H_
#define KANTOKU_SERVICES_INPUTS_PING_TIMES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace kantoku::inputs {

// When each of many has its turn: once in an interval, and those that came together spread over it,
// so that ten thousand executors that connect again after a restart are no burst for ever.
//
// Times are steady ones. Thread-compatible.
template <typename Who>
class PingTimes {
 public:
  struct Due {
    absl::Duration at;
    Who who;
  };

  explicit PingTimes(absl::Duration interval) : interval_(interval) {}

  // For the first time within an interval.
  void Add(Who who, absl::Duration now) {
    // Multiples of the golden ratio, in parts of one: however many there are, they lie evenly.
    constexpr uint32_t kGolden = 2'654'435'769;
    const double part = static_cast<double>(++added_ * kGolden) / 0x1p32;
    times_.emplace(now + part * interval_, std::move(who));
  }

  // When the next one is due; absl::InfiniteDuration() when there is none.
  absl::Duration next() const {
    return times_.empty() ? absl::InfiniteDuration() : times_.begin()->first;
  }

  // Takes out one that is due, the earliest first.
  std::optional<Due> Take(absl::Duration now) {
    if (next() > now) return std::nullopt;
    auto first = times_.extract(times_.begin());
    return Due{first.key(), std::move(first.mapped())};
  }

  // Puts it back, for its next time after `now`. Times that have passed meanwhile are left out.
  void Repeat(Due due, absl::Duration now) {
    const absl::Duration passed = absl::Floor(now - due.at, interval_);
    times_.emplace(due.at + passed + interval_, std::move(due.who));
  }

  // Takes out all of them.
  std::vector<Who> Clear() {
    std::vector<Who> all;
    for (auto& [at, who] : std::exchange(times_, {})) all.push_back(std::move(who));
    return all;
  }

 private:
  const absl::Duration interval_;
  uint32_t added_ = 0;
  std::multimap<absl::Duration, Who> times_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PING_TIMES_H_
