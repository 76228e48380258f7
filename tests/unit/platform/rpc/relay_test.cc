#include "services/platform/rpc/relay.h"

#include <grpcpp/test/server_context_test_spouse.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/rpc/stream_call.h"
#include "tests/unit/platform/rpc/await_call.h"
#include "tests/unit/platform/rpc/forwarding_scene.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any streams would do.
using Request = AwaitCall::Request;
using Response = AwaitCall::Response;

constexpr char kAwait[] = "/kantoku.outputs.v1.OutputsService/Await";
constexpr char kStream[] = "/kantoku.outputs.v1.OutputsService/Stream";

class StreamsNode final : public Service {
 public:
  StreamsNode(CallMonitor&, Forwarder&) : Service(outputspb::OutputsService::service_full_name()) {
    Handle("Await", &StreamsNode::Await);
    Handle("Stream", &StreamsNode::Stream);
  }

  AwaitCall& OnlyCall() {
    REQUIRE(call_.Becomes([](const auto& call) { return call != nullptr; }));
    return *call_.Get();
  }

  std::string owner;
  Awaited<bool> forwarded;  // The call shows so.

 private:
  void Await(AwaitCall::Call* call) {
    forwarded.Set(IsForwarded(*call));
    call_.Set(std::make_shared<AwaitCall>(*call));
  }
  void Stream(ServerStreamCall<outputspb::StreamRequest, outputspb::StreamResponse>* call,
              const outputspb::StreamRequest* request) {
    call->Finish(Error(absl::StatusCode::kNotFound, request->task_id(), "there is none"));
  }

  Awaited<std::shared_ptr<AwaitCall>> call_;
};

// Writes down what comes.
class Listener final : public Relay::Receiver {
 public:
  std::function<void()> on_message = [] {};  // Before it is written down.
  Awaited<std::vector<std::string>> ids;
  Awaited<int> writable;
  Awaited<std::vector<absl::Status>> ends;

  absl::Status End() {
    REQUIRE(ends.Becomes([](const auto& all) { return !all.empty(); }));
    return ends.Get().front();
  }

 private:
  void OnRelayed(std::string_view message) override {
    Response response;
    KANTOKU_CHECK(response.ParseFromArray(message.data(), static_cast<int>(message.size())));
    on_message();
    ids.Update([&](auto& all) {
      for (const auto& result : response.results()) all.push_back(result.task_id());
    });
  }
  void OnRelayWritable() override {
    writable.Update([](int& times) { ++times; });
  }
  void OnRelayEnded(const absl::Status& status) override {
    ends.Update([&](auto& all) { all.push_back(status); });
  }
};

std::string Ask(const std::string& id) {
  Request request;
  request.add_task_ids(id);
  return request.SerializeAsString();
}

// A relay to the far one, as anna's call.
struct Scene : ForwardingScene<StreamsNode> {
  Scene() { spouse.AddClientMetadata("authorization", "Bearer good"); }

  // The other one has the call from the first message on.
  AwaitCall& Open(const std::string& first = "first") {
    relay =
        Relay::Open(near->forwarder, call, kAwait, {.address = far->server.address()}, listener);
    KANTOKU_CHECK(relay->Write(Ask(first)));
    return far->service.OnlyCall();
  }

  grpc::ServerContext call;
  grpc::testing::ServerContextTestSpouse spouse{&call};
  std::shared_ptr<Listener> listener = std::make_shared<Listener>();
  std::shared_ptr<Relay> relay;
};

TEST_CASE("Messages pass both ways in their order, and the ends of both sides") {
  Scene scene;
  AwaitCall& far = scene.Open("0");
  for (int i = 1; i < 100; ++i) CHECK(scene.relay->Write(Ask(std::to_string(i))));
  scene.relay->Finish();
  std::vector<std::string> asked;
  while (const auto request = far.Read()) asked.push_back(request->task_ids(0));
  CHECK(asked == Numbers(100));
  for (const auto& number : Numbers(100)) REQUIRE(far.Say(number));
  far.Finish(absl::OkStatus());
  CHECK(scene.listener->End().ok());
  CHECK(scene.listener->ids.Get() == Numbers(100));
  CHECK(scene.far->service.forwarded.Get());
}

TEST_CASE("A relay without a message leaves with its end") {
  Scene scene;
  scene.relay = Relay::Open(scene.near->forwarder, scene.call, kAwait,
                            {.address = scene.far->server.address()}, scene.listener);
  scene.relay->Finish();
  AwaitCall& far = scene.far->service.OnlyCall();
  CHECK_FALSE(far.Read().has_value());
  far.Finish(absl::OkStatus());
  CHECK(scene.listener->End().ok());
}

TEST_CASE("The other one's status is passed on with its reason, and told once") {
  Scene scene;
  AwaitCall& far = scene.Open();
  far.Finish(Error(absl::StatusCode::kPermissionDenied, "TOKEN_REVOKED", "revoked"));
  const absl::Status end = scene.listener->End();
  CHECK(absl::IsPermissionDenied(end));
  CHECK(ReasonOf(end) == "TOKEN_REVOKED");
  CHECK_FALSE(IsRefusal(end));
}

TEST_CASE("One message and the end are a call that has a stream for its answer") {
  Scene scene;
  outputspb::StreamRequest request;
  request.set_task_id("SO_IT_SAYS");
  const auto relay = Relay::Open(scene.near->forwarder, scene.call, kStream,
                                 {.address = scene.far->server.address()}, scene.listener);
  CHECK(relay->Write(request.SerializeAsString()));
  relay->Finish();
  CHECK(ReasonOf(scene.listener->End()) == "SO_IT_SAYS");
}

TEST_CASE("No more is taken than has room while the other one does not read") {
  Scene scene;
  AwaitCall& far = scene.Open();
  const std::string large(10'000, 'x');
  size_t taken = 1;
  while (scene.relay->Write(Ask(std::to_string(taken) + large))) {
    REQUIRE(++taken < 10'000);
  }
  CHECK(scene.listener->writable.Get() == 0);
  for (size_t i = 0; i < taken; ++i) {
    const auto request = far.Read();
    REQUIRE(request.has_value());
    CHECK(request->task_ids(0) == (i == 0 ? "first" : std::to_string(i) + large));
  }
  CHECK(scene.listener->writable.Becomes([](int times) { return times > 0; }));
  CHECK(scene.relay->Write(Ask("more")));
  CHECK(far.Read()->task_ids(0) == "more");
}

TEST_CASE("While a relay is paused the other one waits") {
  Scene scene;
  Awaited<std::shared_ptr<Relay>> relay;
  scene.listener->on_message = [&] { relay.Get()->PauseReading(); };
  AwaitCall& far = scene.Open();
  relay.Set(scene.relay);
  for (const auto& number : Numbers(5)) REQUIRE(far.Say(number));
  far.Finish(absl::OkStatus());
  for (size_t i = 1; i <= 5; ++i) {
    CHECK(scene.listener->ids.Becomes([i](const auto& ids) { return ids.size() == i; }));
    CHECK(scene.listener->ends.Get().empty());
    scene.relay->ResumeReading();
  }
  CHECK(scene.listener->End().ok());
}

TEST_CASE("A relay can be cancelled, also while it is paused and nobody reads") {
  Scene scene;
  Awaited<std::shared_ptr<Relay>> relay;
  scene.listener->on_message = [&] { relay.Get()->PauseReading(); };
  AwaitCall& far = scene.Open();
  relay.Set(scene.relay);
  REQUIRE(far.Say("a"));
  REQUIRE(scene.listener->ids.Becomes([](const auto& ids) { return ids.size() == 1; }));
  while (scene.relay->Write(Ask(std::string(100'000, 'x')))) {
  }
  scene.relay->Cancel();
  CHECK(absl::IsCancelled(scene.listener->End()));
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  // All that is harmless then.
  CHECK(scene.relay->Write(Ask("x")));
  scene.relay->Finish();
  scene.relay->ResumeReading();
  scene.relay->Cancel();
  CHECK(scene.listener->ends.Get().size() == 1);
  CHECK(scene.listener->writable.Get() == 0);
}

TEST_CASE("A relay that was not held by anybody ends all the same") {
  Scene scene;
  AwaitCall& far = scene.Open();
  const std::weak_ptr<Relay> weak = std::exchange(scene.relay, nullptr);
  CHECK_FALSE(weak.expired());
  far.Finish(absl::OkStatus());
  CHECK(scene.listener->End().ok());
  scene.near->forwarder.Stop();
  CHECK(weak.expired());
  CHECK(scene.listener.use_count() == 1);
}

TEST_CASE("A relay ends as UNAVAILABLE when the other one is gone, or where none is") {
  Scene scene;
  scene.Open();
  scene.far->server.Shutdown();
  CHECK(absl::IsUnavailable(scene.listener->End()));
  const auto other = std::make_shared<Listener>();
  Relay::Open(scene.near->forwarder, scene.call, kAwait, {.address = scene.far->server.address()},
              other)
      ->Finish();
  CHECK(absl::IsUnavailable(other->End()));
}

TEST_CASE("Relays end as UNAVAILABLE when the forwarder drains, stops, or gives their owner up") {
  Scene scene;
  AwaitCall& far = scene.Open();
  Forwarder& forwarder = scene.near->forwarder;
  const std::string way = GENERATE("DRAINING", "STOPPING", "OWNER_LEFT");
  if (way == "DRAINING") forwarder.Drain();
  if (way == "STOPPING") forwarder.Stop();
  if (way == "OWNER_LEFT") forwarder.GiveUp(scene.far->server.address());
  const absl::Status end = scene.listener->End();
  CHECK(absl::IsUnavailable(end));
  CHECK(ReasonOf(end) == way);
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  if (way == "OWNER_LEFT") return;
  // Another one ends before it has begun.
  const auto other = std::make_shared<Listener>();
  const auto relay =
      Relay::Open(forwarder, scene.call, kAwait, {.address = scene.far->server.address()}, other);
  REQUIRE(other->ends.Get().size() == 1);
  CHECK(ReasonOf(other->ends.Get()[0]) == way);
  relay->Cancel();
}

TEST_CASE("A relay shows a newer token than its call does, if it is given one") {
  Scene scene;
  scene.tokens.Add("newer", "outputs:read outputs:write");
  scene.tokens.Revoke("good");
  scene.relay = Relay::Open(scene.near->forwarder, scene.call, kAwait,
                            {.address = scene.far->server.address()}, scene.listener, "newer");
  REQUIRE(scene.relay->Write(Ask("first")));
  scene.far->service.OnlyCall().Finish(absl::OkStatus());
  CHECK(scene.listener->End().ok());
}

TEST_CASE("Whoever is none of the others any more is given up") {
  Scene scene;
  scene.Open();
  const std::string far = scene.far->server.address();
  scene.near->forwarder.SetOthers(
      {{.id = "far", .address = far}, {.id = "third", .address = "there"}});
  scene.near->forwarder.SetOthers({{.id = "far", .address = far}});
  CHECK(scene.far->service.OnlyCall().Say("still here"));
  REQUIRE(scene.listener->ids.Becomes([](const auto& all) { return !all.empty(); }));
  scene.near->forwarder.SetOthers({});
  CHECK(ReasonOf(scene.listener->End()) == "OWNER_LEFT");
}

}  // namespace
}  // namespace kantoku::platform
