#ifndef KANTOKU_TESTS_SUPPORT_FAKE_CLOCK_H_
#define KANTOKU_TESTS_SUPPORT_FAKE_CLOCK_H_

#include <memory>
#include <vector>

#include "services/platform/clock.h"

namespace kantoku::platform {

// A clock that stands still until a test moves it. Starts on a round date, steady time at one hour.
//
// Thread-safe.
class FakeClock final : public Clock {
 public:
  FakeClock();
  ~FakeClock() override;

  Now Read() const override;
  void Wait(Mutex& mutex, CondVar& changed, absl::Duration deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) override;

  // Moves both time bases and wakes who waits for what has come.
  void Advance(absl::Duration by);
  // Moves wall time alone, back or forth, as an administrator can.
  void JumpWall(absl::Duration by);

  // Blocks until a thread waits for a deadline at most `within` from now; false if none does for
  // a very long time.
  bool AwaitWaiter(absl::Duration within);
  // Until so many threads wait, for whatever time.
  bool AwaitWaiters(size_t count);

 private:
  struct Waiter {
    Mutex* mutex;
    CondVar* changed;
    absl::Duration deadline;
    bool being_woken = false;
  };

  template <typename Condition>
  bool Await(Condition condition);
  void WakeDue();

  mutable Mutex mu_;  // Taken after a waiter's mutex; never held while taking one.
  CondVar waiters_changed_;
  Now now_ ABSL_GUARDED_BY(mu_);
  std::vector<Waiter*> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_SUPPORT_FAKE_CLOCK_H_
