#include "services/inputs/pull_stream.h"

#include <grpcpp/grpcpp.h>
#include <prometheus/registry.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/inputs/service.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::inputs::testing {
namespace {

// The service over a partition in a test's hand, and an executor's connection to it.
class PulledPartition {
 public:
  PulledPartition()
      : calls_(registry_, platform::Clock::Real()),
        streams_(fixture.clock, absl::Seconds(2)),
        served_{.number = 0, .partition = fixture.partition(), .streams = streams_},
        service_({.limits = {}, .namespaces = {"default"}}, {map_, here_}, *fixture.keys,
                 fixture.clock, calls_),
        server_(service_),
        stub_(v1::InputsService::NewStub(server_.Connect())),
        stream_(Open()) {
    v1::PullRequest hello;
    hello.mutable_hello()->set_session_id(std::string(16, 's'));
    hello.mutable_hello()->add_types("x");
    REQUIRE(stream_->Write(hello));
    reader_ = std::thread([this] { Read(); });
    REQUIRE(heard.Becomes([](const auto& frame) { return frame.has_welcome(); }));
  }
  ~PulledPartition() {
    fixture.faults.OpenGate();
    context_.TryCancel();
    reader_.join();
    streams_.Stop(absl::UnavailableError("the test is over"));
  }

  bool Write(const v1::PullRequest& frame) { return stream_->Write(frame); }
  // From now on no more than one frame is read.
  void StopReading() { reading_ = false; }
  // Another executor, which says nothing, or nothing but hello: how many messages it heard, and how
  // its stream ended while time went by.
  std::pair<int, grpc::Status> BeSilent(bool after_hello) {
    grpc::ClientContext context;
    const auto stream = stub_->Pull(&context);
    if (after_hello) REQUIRE(stream->Write(OtherHello()));
    std::atomic<bool> ended = false;
    int frames = 0;
    std::thread reader([&] {
      for (v1::PullResponse frame; stream->Read(&frame);) ++frames;
      ended = true;
    });
    while (!ended) {
      fixture.clock.Advance(absl::Seconds(2));
      AskForNothing();
    }
    reader.join();
    return {frames, stream->Finish()};
  }
  // Another executor, whose hello waits while time goes by: the first that it hears.
  v1::PullResponse GreetLate() {
    StopApplying();
    grpc::ClientContext context;
    const auto stream = stub_->Pull(&context);
    REQUIRE(stream->Write(OtherHello()));
    for (int i = 0; i < 20; ++i) {
      fixture.clock.Advance(absl::Seconds(2));
      AskForNothing();
    }
    fixture.faults.OpenGate();
    v1::PullResponse first;
    REQUIRE(stream->Read(&first));
    context.TryCancel();
    return first;
  }
  // A call that the service answers without the partition.
  void AskForNothing() {
    grpc::ClientContext context;
    v1::GetTasksResponse response;
    CHECK(stub_->GetTasks(&context, {}, &response).error_code() ==
          grpc::StatusCode::INVALID_ARGUMENT);
  }
  // From now on nothing is applied, until the store's gate opens.
  void StopApplying() {
    const int commits = fixture.faults.commits();
    fixture.faults.CloseGate();
    v1::SpawnRequest request;
    request.set_request_id("r");
    request.add_specs()->set_type("y");
    fixture.Post(request, [](const auto&) {});
    fixture.faults.AwaitCommits(commits + 1);
    constexpr int kFillsAGroup = 100'000;
    for (int i = 0; i < kFillsAGroup; ++i) {
      fixture.partition().ListExecutors("default", [](const auto&) {});
    }
  }

  PartitionFixture fixture;
  Watched<v1::PullResponse> heard;  // All frames in one.

 private:
  std::unique_ptr<grpc::ClientReaderWriter<v1::PullRequest, v1::PullResponse>> Open() {
    here_.Put(0, {std::shared_ptr<void>(), &served_});
    return stub_->Pull(&context_);
  }
  static v1::PullRequest OtherHello() {
    v1::PullRequest hello;
    hello.mutable_hello()->set_session_id(std::string(16, 't'));
    hello.mutable_hello()->add_types("x");
    return hello;
  }
  void Read() {
    v1::PullResponse frame;
    while (reading_ && stream_->Read(&frame))
      heard.Update([&](auto& all) { all.MergeFrom(frame); });
  }

  prometheus::Registry registry_;
  platform::CallMonitor calls_;
  PullStreams streams_;
  Served served_;
  const platform::AllHere map_{1};
  platform::ServedPartitions<Served> here_{1};
  InputsServiceImpl service_;
  platform::TestServer server_;
  const std::unique_ptr<v1::InputsService::Stub> stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<v1::PullRequest, v1::PullResponse>> stream_;
  std::atomic<bool> reading_{true};
  std::thread reader_;
};

TEST_CASE("While frames wait to be applied, a stream is read up to a bound, and then goes on") {
  PulledPartition pulled;
  pulled.StopApplying();
  constexpr uint64_t kFrames = 20;
  constexpr uint64_t kReadAtMost = 4;  // 1.2 MiB.
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kFrames; ++i) {
      v1::PullRequest frame;
      frame.mutable_ping()->set_number(i);
      frame.add_progress()->set_message(std::string(size_t{300} << 10, 'm'));
      if (!pulled.Write(frame)) return;
    }
  });
  const auto answered = [](uint64_t number) {
    return [number](const v1::PullResponse& frame) { return frame.pong().number() >= number; };
  };
  CHECK(pulled.heard.Becomes(answered(kReadAtMost)));
  for (int i = 0; i < 100; ++i) pulled.AskForNothing();
  CHECK(pulled.heard.Get().pong().number() == kReadAtMost);

  pulled.fixture.faults.OpenGate();
  CHECK(pulled.heard.Becomes(answered(kFrames)));
  CHECK(pulled.heard.Becomes([](const auto& all) { return all.refused_size() == int{kFrames}; }));
  writer.join();
}

TEST_CASE("The stream of an executor that asks much and does not read is ended") {
  PulledPartition pulled;
  pulled.StopReading();
  v1::PullRequest frame;
  for (int i = 0; i < 50'000; ++i) frame.add_started()->set_task_id(std::string(16, 't'));
  constexpr int kFarTooMany = 200;  // About 13 fill the bound, and some are on their way.
  int written = 0;
  while (written < kFarTooMany && pulled.Write(frame)) ++written;
  CHECK(written < kFarTooMany);
}

TEST_CASE("An executor whose hello has to wait is not sent away, and hears the welcome first") {
  PulledPartition pulled;
  const v1::PullResponse first = pulled.GreetLate();
  CHECK(first.has_welcome());
  CHECK_FALSE(first.has_ping());
}

TEST_CASE("An executor that says no hello is sent away, and heard no ping before a welcome") {
  PulledPartition pulled;
  const auto [frames, status] = pulled.BeSilent(/*after_hello=*/false);
  CHECK(frames == 0);
  CHECK(status.error_code() == grpc::StatusCode::UNAVAILABLE);
}

TEST_CASE("An executor that falls silent after its hello is sent away") {
  PulledPartition pulled;
  const auto [frames, status] = pulled.BeSilent(/*after_hello=*/true);
  CHECK(frames >= 1);  // The welcome.
  // Who is sent away while a message is on its way to him is not told why.
  const bool is_told = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                       platform::ReasonOf(platform::FromGrpc(status)) == "PINGS_UNANSWERED";
  CHECK((is_told || status.error_code() == grpc::StatusCode::CANCELLED));
}

}  // namespace
}  // namespace kantoku::inputs::testing
