#include "services/inputs/blocks_peer.h"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::inputs {
namespace {

using platform::Awaited;
using platform::KnownBlocks;
namespace authpb = ::kantoku::auth::v1;

// Another program: writes down what it is told, and is away when the test says so.
class Other final : public authpb::BlocksService::Service {
 public:
  grpc::Status ReplaceBlocks(grpc::ServerContext*, const authpb::ReplaceBlocksRequest* request,
                             authpb::ReplaceBlocksResponse*) override {
    bool away = false;
    told.Update([&](std::vector<uint64_t>& versions) {
      versions.push_back(request->version());
      away = versions.size() <= refuses;
    });
    return away ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "away") : grpc::Status::OK;
  }
  // Waits until it was told so often.
  std::vector<uint64_t> Told(size_t times) {
    REQUIRE(told.Becomes([&](const auto& versions) { return versions.size() >= times; }));
    return told.Get();
  }

  Awaited<std::vector<uint64_t>> told;
  size_t refuses = 0;  // The first so many calls.
};

struct Scene {
  explicit Scene(size_t refuses = 0) {
    other.refuses = refuses;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&other);
    server = builder.BuildAndStart();
    REQUIRE(server != nullptr);
    peer = std::make_unique<BlocksPeer>(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                            grpc::InsecureChannelCredentials()),
                                        clock, *keys);
  }
  ~Scene() {
    peer->Stop();
    server->Shutdown();
  }

  void Tell(uint64_t version) {
    peer->Tell({.version = {1, version}, .list = std::make_shared<const platform::BlockList>()});
  }

  platform::FakeClock clock;
  std::unique_ptr<platform::MacKeys> keys =
      platform::MacKeys::Make({{1, std::string(32, 'k')}}).value();
  Other other;
  std::unique_ptr<grpc::Server> server;
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
}  // namespace kantoku::inputs
