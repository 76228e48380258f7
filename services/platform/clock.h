#ifndef KANTOKU_SERVICES_PLATFORM_CLOCK_H_
#define KANTOKU_SERVICES_PLATFORM_CLOCK_H_

#include "absl/time/time.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// One reading of both time bases.
struct Now {
  absl::Time wall;        // What people and other machines call the time. May jump.
  absl::Duration steady;  // Since an arbitrary start. Never jumps; counts time asleep.
};

// Source of time. Everything that waits or stamps takes one, so that tests can drive it.
//
// Thread-safe. Implementations outlive their users.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual Now Read() const = 0;

  // Blocks until `changed` is signalled or steady time reaches `deadline`
  // (absl::InfiniteDuration() means never). `mutex` is held on entry and on return. May return
  // early without cause: callers look again at what they wait for.
  virtual void Wait(Mutex& mutex, CondVar& changed, absl::Duration deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) = 0;

  // The machine's clocks: CLOCK_REALTIME and CLOCK_BOOTTIME.
  static Clock& Real();
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CLOCK_H_
