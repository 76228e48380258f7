#include "tests/support/fake_clock.h"

#include <algorithm>
#include <chrono>

#include "services/platform/check.h"

namespace kantoku::platform {

FakeClock::FakeClock()
    : now_{.wall = absl::FromCivil(absl::CivilSecond(2030, 1, 1), absl::UTCTimeZone()),
           .steady = absl::Hours(1)} {}

FakeClock::~FakeClock() {
  MutexLock lock(mu_);
  KANTOKU_CHECK(waiters_.empty());
}

Now FakeClock::Read() const {
  MutexLock lock(mu_);
  return now_;
}

void FakeClock::Wait(Mutex& mutex, CondVar& changed, absl::Duration deadline) {
  Waiter waiter{.mutex = &mutex, .changed = &changed, .deadline = deadline};
  {
    MutexLock lock(mu_);
    if (now_.steady >= deadline) return;
    waiters_.push_back(&waiter);
  }
  waiters_changed_.SignalAll();
  changed.Wait(mutex);
  // Whoever wakes us takes `mutex` for it, so it has to be free until they are through.
  mutex.Unlock();
  {
    MutexLock lock(mu_);
    while (waiter.being_woken) waiters_changed_.Wait(mu_);
    waiters_.erase(std::find(waiters_.begin(), waiters_.end(), &waiter));
  }
  mutex.Lock();
}

void FakeClock::Advance(absl::Duration by) {
  KANTOKU_CHECK(by >= absl::ZeroDuration());
  {
    MutexLock lock(mu_);
    now_.wall += by;
    now_.steady += by;
  }
  WakeDue();
}

void FakeClock::JumpWall(absl::Duration by) {
  MutexLock lock(mu_);
  now_.wall += by;
}

void FakeClock::WakeDue() {
  std::vector<Waiter*> due;
  {
    MutexLock lock(mu_);
    for (Waiter* waiter : waiters_) {
      if (waiter->deadline > now_.steady || waiter->being_woken) continue;
      waiter->being_woken = true;
      due.push_back(waiter);
    }
  }
  for (Waiter* waiter : due) {
    {
      MutexLock lock(*waiter->mutex);
      waiter->changed->SignalAll();
    }
    MutexLock lock(mu_);
    waiter->being_woken = false;
  }
  waiters_changed_.SignalAll();
}

template <typename Condition>
bool FakeClock::Await(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  MutexLock lock(mu_);
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= give_up) return false;
    waiters_changed_.WaitFor(mu_, std::chrono::seconds(1));
  }
  return true;
}

bool FakeClock::AwaitWaiter(absl::Duration within) {
  return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const Waiter* waiter : waiters_) {
      if (waiter->deadline <= now_.steady + within) return true;
    }
    return false;
  });
}

bool FakeClock::AwaitWaiters(size_t count) {
  return Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return waiters_.size() >= count; });
}

}  // namespace kantoku::platform
