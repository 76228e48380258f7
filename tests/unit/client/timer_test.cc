#include "client/cpp/src/timer.h"

#include <catch2/catch.hpp>
#include <vector>

#include "client/cpp/src/answer.h"
#include "tests/support/fake_clock.h"

namespace kantoku::internal {
namespace {

TEST_CASE("Functions run when their time has come, in its order") {
  platform::FakeClock clock;
  Timer timer(clock);
  std::vector<int> ran;
  Answer<int> last;
  timer.After(absl::Seconds(3), [&] { last.Set(3); });
  timer.After(absl::Seconds(1), [&] { ran.push_back(1); });
  timer.After(absl::Seconds(2), [&] { ran.push_back(2); });
  clock.Advance(absl::Seconds(3));
  CHECK(last.Take() == 3);
  CHECK(ran == std::vector<int>{1, 2});
}

TEST_CASE("A cancelled function does not run, and cancelling tells whether it will") {
  platform::FakeClock clock;
  Timer timer(clock);
  bool ran = false;
  Answer<int> later;
  const Timer::Id id = timer.After(absl::Seconds(1), [&] { ran = true; });
  timer.After(absl::Seconds(2), [&] { later.Set(0); });
  CHECK(timer.Cancel(id));
  CHECK_FALSE(timer.Cancel(id));
  CHECK_FALSE(timer.Cancel(Timer::kNone));
  clock.Advance(absl::Seconds(2));
  later.Take();
  CHECK_FALSE(ran);
}

TEST_CASE("What never ends needs no timer") {
  platform::FakeClock clock;
  Timer timer(clock);
  CHECK(timer.After(absl::InfiniteDuration(), [] {}) == Timer::kNone);
}

TEST_CASE("A timer that ends drops what has not begun") {
  platform::FakeClock clock;
  bool ran = false;
  {
    Timer timer(clock);
    timer.After(absl::Hours(1), [&] { ran = true; });
  }
  CHECK_FALSE(ran);
}

}  // namespace
}  // namespace kantoku::internal
