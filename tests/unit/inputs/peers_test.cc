#include "services/inputs/peers.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::Error;

grpc::Status Refuse(absl::StatusCode code, std::string_view reason) {
  return platform::ToGrpc(Error(code, reason, "as the test says"));
}

// A plain server of gRPC on a free port: the other service as a test wants it.
class TestServer {
 public:
  explicit TestServer(grpc::Service& service) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~TestServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                               grpc::InsecureChannelCredentials());
  }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// ---- Events ----

// Takes every line but those whose bytes are "bad".
class PickyEvents final : public events::v1::EventsService::Service {
 public:
  grpc::Status Append(grpc::ServerContext*, const events::v1::AppendRequest* request,
                      events::v1::AppendResponse* response) override {
    for (const auto& batch : request->batches()) {
      if (batch.batch() == "bad") {
        return Refuse(absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE");
      }
    }
    taken_.Update([&](std::vector<std::string>& lines) {
      for (const auto& batch : request->batches()) lines.push_back(batch.batch());
    });
    response->set_durable_number(request->batches().rbegin()->number());
    return grpc::Status::OK;
  }
  bool AwaitLine(const std::string& line) const {
    return taken_.Becomes(
        [&](const auto& lines) { return !lines.empty() && lines.back() == line; });
  }
  std::vector<std::string> taken() const { return taken_.Get(); }

 private:
  Watched<std::vector<std::string>> taken_;
};

TEST_CASE("A line that Events will never take is dropped, and the others arrive") {
  PartitionFixture fixture;
  PickyEvents events;
  TestServer server(events);
  EventsPeer peer(server.Connect(), platform::Clock::Real(), *fixture.keys, fixture.partition(),
                  size_t{1} << 30);
  std::vector<std::string> good;
  for (uint64_t number = 1; number <= 20; ++number) {
    const std::string line = number % 7 == 3 ? "bad" : "line " + std::to_string(number);
    if (line != "bad") good.push_back(line);
    peer.Send(number, line);
  }
  REQUIRE(events.AwaitLine("line 20"));
  CHECK(events.taken() == good);
  peer.Stop();
}

}  // namespace
}  // namespace kantoku::inputs::testing
