#include "services/platform/clock.h"

#include <time.h>

#include <algorithm>

namespace kantoku::platform {
namespace {

// A condition variable waits by CLOCK_MONOTONIC, which stops while the machine sleeps. Looking at
// the clock this often bounds how late a deadline is noticed after the machine woke.
constexpr absl::Duration kLongestWait = absl::Seconds(10);

timespec ReadClock(clockid_t id) {
  timespec time{};
  ::clock_gettime(id, &time);
  return time;
}

class RealClock final : public Clock {
 public:
  Now Read() const override {
    return {.wall = absl::TimeFromTimespec(ReadClock(CLOCK_REALTIME)), .steady = Steady()};
  }

  void Wait(Mutex& mutex, CondVar& changed, absl::Duration deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) override {
    if (deadline == absl::InfiniteDuration()) return changed.Wait(mutex);
    const absl::Duration left = deadline - Steady();
    if (left <= absl::ZeroDuration()) return;
    changed.WaitFor(mutex, absl::ToChronoNanoseconds(std::min(left, kLongestWait)));
  }

 private:
  static absl::Duration Steady() { return absl::DurationFromTimespec(ReadClock(CLOCK_BOOTTIME)); }
};

}  // namespace

Clock& Clock::Real() {
  static RealClock& clock = *new RealClock;  // For ever: threads read it while the process ends.
  return clock;
}

}  // namespace kantoku::platform
