#include "services/inputs/peers.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
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

// ---- Outputs ----

// Decides every fence, or answers as the script says.
class ScriptedOutputs final : public outputs::v1::OutputsService::Service {
 public:
  using Script = std::function<grpc::Status(outputs::v1::FenceResponse&)>;

  grpc::Status Fence(grpc::ServerContext*, const outputs::v1::FenceRequest* request,
                     outputs::v1::FenceResponse* response) override {
    for (const auto& item : request->items()) {
      response->add_results()->set_terminal(item.has_settlement()
                                                ? item.settlement().status()
                                                : outputs::v1::RESULT_STATUS_UNSPECIFIED);
    }
    Script script;
    asked_.Update([&](std::vector<outputs::v1::FenceRequest>& all) {
      all.push_back(*request);
      std::swap(script, script_);
    });
    return script ? script(*response) : grpc::Status::OK;
  }
  // Of the next call; before it comes.
  void Next(Script script) { script_ = std::move(script); }
  // Waits for the n-th call, from 1.
  outputs::v1::FenceRequest Asked(size_t n) const {
    REQUIRE(asked_.Becomes([n](const auto& all) { return all.size() >= n; }));
    return asked_.Get()[n - 1];
  }

 private:
  Script script_;  // Touched within asked_.
  Watched<std::vector<outputs::v1::FenceRequest>> asked_;
};

// A partition with tasks that want an end, an Outputs of the test's, and the peer between them.
struct OutputsScene {
  OutputsScene() : server(outputs) {
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(fixture.SpawnOne());
      REQUIRE(fixture.Cancel(tasks.back()).ok());
    }
  }
  void Ask(OutputsPeer& peer) {
    std::vector<outputs::v1::FenceItem> items;
    for (size_t i = 1; i <= tasks.size(); ++i) items.push_back(fixture.outputs->Asked(i));
    peer.Ask(std::move(items));
  }

  PartitionFixture fixture;
  ScriptedOutputs outputs;
  TestServer server;
  std::vector<TaskId> tasks;
};

TEST_CASE("A fence that Outputs cannot decide is asked again later, and holds up no other") {
  OutputsScene scene;
  scene.outputs.Next([](outputs::v1::FenceResponse& response) {
    response.mutable_results(0)->clear_terminal();
    auto& status = *response.mutable_results(0)->mutable_status();
    status.set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
    status.set_reason("TOO_MANY_FENCES");
    response.mutable_results()->RemoveLast();  // Nor is there an answer to the last one.
    return grpc::Status::OK;
  });
  OutputsPeer peer(scene.server.Connect(), scene.fixture.clock, *scene.fixture.keys,
                   scene.fixture.partition());
  scene.Ask(peer);
  CHECK(scene.fixture.Reaches(scene.tasks[1], TaskState::kCancelled));
  CHECK(scene.fixture.Get(scene.tasks[0])->state == TaskState::kSettling);
  REQUIRE(scene.outputs.Asked(1).items_size() == 3);

  scene.fixture.clock.Advance(absl::Seconds(2));
  const auto again = scene.outputs.Asked(2);
  REQUIRE(again.items_size() == 2);
  CHECK(again.items(0).task_id() == scene.tasks[0].bytes());
  CHECK(again.items(1).task_id() == scene.tasks[2].bytes());
  CHECK(scene.fixture.Reaches(scene.tasks[0], TaskState::kCancelled));
  CHECK(scene.fixture.Reaches(scene.tasks[2], TaskState::kCancelled));
}

TEST_CASE("An Outputs that knows a later owner ends this one, at once and for good") {
  OutputsScene scene;
  scene.outputs.Next([](outputs::v1::FenceResponse&) {
    return Refuse(absl::StatusCode::kAborted, "STALE_EPOCH");
  });
  OutputsPeer peer(scene.server.Connect(), scene.fixture.clock, *scene.fixture.keys,
                   scene.fixture.partition());
  scene.Ask(peer);
  const auto lost = [&] { return scene.fixture.partition().health().code(); };
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (lost() != absl::StatusCode::kAborted && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  CHECK(lost() == absl::StatusCode::kAborted);
  v1::SpawnRequest request;
  request.set_request_id("late");
  request.add_specs()->set_type("x");
  const absl::Status refused = scene.fixture.Spawn(request).status();
  CHECK(refused.code() == absl::StatusCode::kUnavailable);
  CHECK(platform::ReasonOf(refused) == "PARTITION_LOST");
}

}  // namespace
}  // namespace kantoku::inputs::testing
