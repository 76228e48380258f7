#ifndef KANTOKU_TESTS_UNIT_PLATFORM_BLOCKS_TOLD_SERVER_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_BLOCKS_TOLD_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/auth/v1/blocks.grpc.pb.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {

// Another program: writes down which versions of blocks it is told, and is away when the test says
// so.
class ToldServer final : public auth::v1::BlocksService::Service {
 public:
  ToldServer() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~ToldServer() override { server_->Shutdown(); }

  const std::string& address() const { return address_; }
  std::shared_ptr<grpc::Channel> channel() const {
    return grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
  }

  grpc::Status ReplaceBlocks(grpc::ServerContext*, const auth::v1::ReplaceBlocksRequest* request,
                             auth::v1::ReplaceBlocksResponse*) override {
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

 private:
  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_BLOCKS_TOLD_SERVER_H_
