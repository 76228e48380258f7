#include "services/platform/clock.h"

#include <catch2/catch.hpp>
#include <thread>

#include "absl/time/clock.h"
#include "tests/support/fake_clock.h"

namespace kantoku::platform {
namespace {

TEST_CASE("The machine's clock goes on, and its wall time is the world's") {
  Clock& clock = Clock::Real();
  const Now first = clock.Read();
  const Now second = clock.Read();
  CHECK(second.steady >= first.steady);
  CHECK(absl::AbsDuration(second.wall - absl::Now()) < absl::Minutes(1));
}

TEST_CASE("Waiting with the machine's clock ends at the deadline") {
  Clock& clock = Clock::Real();
  Mutex mu;
  CondVar changed;
  MutexLock lock(mu);
  const absl::Duration deadline = clock.Read().steady + absl::Milliseconds(5);
  while (clock.Read().steady < deadline) clock.Wait(mu, changed, deadline);
  clock.Wait(mu, changed, deadline);  // What has passed is not waited for.
}

TEST_CASE("Waiting ends when what is waited for changes, whichever clock") {
  const bool real = GENERATE(true, false);
  FakeClock fake;
  Clock& clock = real ? Clock::Real() : fake;
  Mutex mu;
  CondVar changed;
  bool done = false;
  std::thread signaller([&] {
    MutexLock lock(mu);
    done = true;
    changed.Signal();
  });
  {
    MutexLock lock(mu);
    while (!done) clock.Wait(mu, changed, absl::InfiniteDuration());
  }
  signaller.join();
}

TEST_CASE("A fake clock wakes who waits for the time to which it is moved") {
  FakeClock clock;
  const Now start = clock.Read();
  Mutex mu;
  CondVar changed;
  std::thread waiter([&] {
    MutexLock lock(mu);
    const absl::Duration deadline = start.steady + absl::Seconds(10);
    while (clock.Read().steady < deadline) clock.Wait(mu, changed, deadline);
  });
  CHECK(clock.AwaitWaiter(absl::Seconds(10)));
  clock.Advance(absl::Seconds(4));
  CHECK(clock.AwaitWaiter(absl::Seconds(6)));
  clock.JumpWall(absl::Hours(-5));
  clock.Advance(absl::Seconds(6));
  waiter.join();
  CHECK(clock.Read().steady == start.steady + absl::Seconds(10));
  CHECK(clock.Read().wall == start.wall + absl::Seconds(10) - absl::Hours(5));
}

}  // namespace
}  // namespace kantoku::platform
