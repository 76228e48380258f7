#include "services/platform/blocks/blocks_peer.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/blocks/told_server.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

struct Scene {
  explicit Scene(size_t refuses = 0) {
    other.refuses = refuses;
    peer = std::make_unique<BlocksPeer>(other.channel(), clock, *keys);
  }
  ~Scene() { peer->Stop(); }

  void Tell(uint64_t version) {
    peer->Tell({.version = {1, version}, .list = std::make_shared<const BlockList>()});
  }

  FakeClock clock;
  std::unique_ptr<MacKeys> keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  ToldServer other;
  std::unique_ptr<BlocksPeer> peer;
};

TEST_CASE(
    "Another program is told of blocks again until it has answered, at most half a second apart") {
  Scene scene(/*refuses=*/3);
  scene.Tell(1);
  for (size_t times = 1; times <= 3; ++times) {
    scene.other.Told(times);
    REQUIRE(scene.clock.AwaitWaiter(absl::Milliseconds(500)));
    scene.clock.Advance(absl::Milliseconds(500));
  }
  CHECK(scene.other.Told(4) == std::vector<uint64_t>{1, 1, 1, 1});
}

TEST_CASE("What holds is said again every now and then, and what held before is not") {
  Scene scene;
  scene.Tell(1);
  scene.other.Told(1);
  REQUIRE(scene.clock.AwaitWaiter(absl::Seconds(10)));
  scene.clock.Advance(absl::Seconds(5));
  scene.Tell(2);
  scene.other.Told(2);
  REQUIRE(scene.clock.AwaitWaiter(absl::Seconds(5)));
  scene.clock.Advance(absl::Seconds(5));  // Here the first would be said again.
  REQUIRE(scene.clock.AwaitWaiter(absl::Seconds(5)));
  scene.clock.Advance(absl::Seconds(5));
  CHECK(scene.other.Told(3) == std::vector<uint64_t>{1, 2, 2});
}

}  // namespace
}  // namespace kantoku::platform
