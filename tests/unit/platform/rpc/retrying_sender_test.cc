#include "services/platform/rpc/retrying_sender.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

using Sender = RetryingSender<int>;
using Batches = std::vector<std::vector<int>>;

TEST_CASE("A batch is repeated until it is taken, and each change of that is told once") {
  FakeClock clock;
  Awaited<Batches> batches;
  Awaited<std::vector<absl::StatusCode>> states;
  Sender sender({.on_state =
                     [&](const absl::Status& state) {
                       states.Update([&](auto& all) { all.push_back(state.code()); });
                     }},
                clock, [&](const std::vector<int>& items) {
                  size_t calls = 0;
                  batches.Update([&](Batches& all) {
                    all.push_back(items);
                    calls = all.size();
                  });
                  return calls < 3 ? absl::UnavailableError("away") : absl::OkStatus();
                });
  sender.Add(1, 1);
  for (size_t calls = 1; calls <= 2; ++calls) {
    REQUIRE(batches.Becomes([&](const Batches& all) { return all.size() >= calls; }));
    REQUIRE(clock.AwaitWaiter(absl::Seconds(1)));
    clock.Advance(absl::Seconds(1));
  }
  REQUIRE(states.Becomes([](const auto& all) { return all.size() >= 2; }));
  CHECK(batches.Get() == Batches{{1}, {1}, {1}});
  CHECK(states.Get() == std::vector{absl::StatusCode::kUnavailable, absl::StatusCode::kOk});
}

TEST_CASE("What is for later comes after a while, and holds up nothing meanwhile") {
  FakeClock clock;
  Awaited<Batches> batches;
  Sender sender({}, clock, [&](const std::vector<int>& items) {
    batches.Update([&](Batches& all) { all.push_back(items); });
    return absl::OkStatus();
  });
  sender.AddLater(1, 1);
  sender.Add(2, 1);
  REQUIRE(batches.Becomes([](const Batches& all) { return all.size() == 1; }));
  REQUIRE(clock.AwaitWaiter(absl::Seconds(2)));
  CHECK(batches.Get() == Batches{{2}});
  clock.Advance(absl::Seconds(2));
  REQUIRE(batches.Becomes([](const Batches& all) { return all.size() == 2; }));
  CHECK(batches.Get() == Batches{{2}, {1}});
}

TEST_CASE("Whoever adds is told how many left for it, the oldest, and not what is under way") {
  FakeClock clock;
  Awaited<Batches> batches;
  Awaited<bool> back;
  Sender sender({.max_bytes = 2}, clock, [&](const std::vector<int>& items) {
    batches.Update([&](Batches& all) { all.push_back(items); });
    return back.Becomes([](bool is) { return is; }) ? absl::OkStatus()
                                                    : absl::UnavailableError("away");
  });
  CHECK(sender.Add(1, 1) == 0);
  REQUIRE(batches.Becomes([](const Batches& all) { return all.size() == 1; }));
  CHECK(sender.Add(2, 1) == 0);
  CHECK(sender.Add(3, 1) == 0);
  CHECK(sender.Add(4, 1) == 1);
  CHECK(sender.AddAll({{5, 1}, {6, 1}}) == 2);
  back.Set(true);
  CHECK(sender.Flush(absl::Hours(1)));
  CHECK(batches.Get() == Batches{{1}, {5, 6}});
}

TEST_CASE("Flush waits for what is under way and no longer than it may") {
  FakeClock clock;
  Awaited<Batches> batches;
  Sender sender({.first_pause = absl::Hours(1), .longest_pause = absl::Hours(1)}, clock,
                [&](const std::vector<int>& items) {
                  batches.Update([&](Batches& all) { all.push_back(items); });
                  return absl::UnavailableError("away");
                });
  CHECK(sender.Flush(absl::Seconds(1)));
  sender.Add(1, 1);
  REQUIRE(batches.Becomes([](const Batches& all) { return !all.empty(); }));
  CHECK_FALSE(sender.Flush(absl::ZeroDuration()));
}

}  // namespace
}  // namespace kantoku::platform
