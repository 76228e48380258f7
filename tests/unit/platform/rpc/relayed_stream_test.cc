#include "services/platform/rpc/relayed_stream.h"

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/first_request.h"
#include "tests/unit/platform/rpc/await_call.h"
#include "tests/unit/platform/rpc/forwarding_scene.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any bidirectional method would do.
using Request = AwaitCall::Request;
using Response = AwaitCall::Response;

// Opens what a test wants, or has it answered elsewhere once the first request is there.
class AwaitNode final : public Service {
 public:
  using Call = AwaitCall::Call;

  AwaitNode(CallMonitor& calls, Forwarder& forwarder)
      : Service(outputspb::OutputsService::service_full_name()),
        method(calls.MethodOf("OutputsService/Await")),
        forwarder_(forwarder) {
    Handle("Await", &AwaitNode::Await);
  }

  AwaitCall& OnlyCall() {
    REQUIRE(call_.Becomes([](const auto& call) { return call != nullptr; }));
    return *call_.Get();
  }

  std::string owner;  // Who has what is asked for; empty: we.
  std::function<void(Call*)> open = [this](Call* call) {
    call_.Set(std::make_shared<AwaitCall>(*call));
  };
  Awaited<int> ended;  // Streams that were answered elsewhere.
  CallMonitor::Method& method;

 private:
  void Await(Call* call) {
    if (owner.empty()) return open(call);
    ReadFirst(call, method, [this](Call* read, Request first) {
      if (IsForwarded(*read)) return read->Refuse(method, NotHere("task 7"));
      std::make_shared<RelayedStream<Request, Response>>(
          read, method, forwarder_, RelayTarget{"/kantoku.outputs.v1.OutputsService/Await", owner},
          [this] { ended.Update([](int& count) { ++count; }); })
          ->Start(std::move(first));
    });
  }

  Forwarder& forwarder_;
  Awaited<std::shared_ptr<AwaitCall>> call_;
};

// A client's stream through the near one.
struct Scene : ForwardingScene<AwaitNode> {
  explicit Scene(const std::string& token = "good") {
    tokens.Add("short", "outputs:read", clock.Read().wall + absl::Minutes(10));
    tokens.Add("long", "outputs:read", clock.Read().wall + absl::Minutes(20));
    Limit(context);
    Show(context, token);
    // What somebody does not read stays where it is, whatever a connection could carry.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub = outputspb::OutputsService::NewStub(near->server.Connect(arguments));
    client = stub->Await(&context);
  }
  ~Scene() { context.TryCancel(); }

  void Ask(const std::string& id, const std::string& token = "") {
    Request request;
    request.add_task_ids(id);
    request.set_access_token(token);
    REQUIRE(client->Write(request));
  }
  AwaitCall& Open() {
    Ask("first");
    AwaitCall& call = far->service.OnlyCall();
    REQUIRE(call.Read()->task_ids(0) == "first");
    return call;
  }
  // What comes until the stream ends.
  std::vector<std::string> ReadAll() {
    std::vector<std::string> ids;
    Response response;
    while (client->Read(&response)) {
      for (const auto& result : response.results()) ids.push_back(result.task_id());
    }
    return ids;
  }
  absl::Status End() { return FromGrpc(client->Finish()); }
  bool Ended() {
    return near->service.ended.Becomes([](int count) { return count == 1; });
  }

  grpc::ClientContext context;
  std::unique_ptr<outputspb::OutputsService::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> client;
};

TEST_CASE("A relayed stream passes on everything in order, and the ends of both sides") {
  Scene scene;
  for (const auto& number : Numbers(100)) scene.Ask(number);
  scene.client->WritesDone();
  AwaitCall& far = scene.far->service.OnlyCall();
  std::vector<std::string> asked;
  while (const auto request = far.Read()) asked.push_back(request->task_ids(0));
  CHECK(asked == Numbers(100));
  for (const auto& number : Numbers(100)) REQUIRE(far.Say(number));
  CHECK(far.deadline() < std::chrono::system_clock::time_point::max());
  far.Finish(absl::OkStatus());
  CHECK(scene.ReadAll() == Numbers(100));
  CHECK(scene.End().ok());
  CHECK(scene.Ended());
}

TEST_CASE("What the other replica ends a stream with is passed on, and told once") {
  Scene scene;
  AwaitCall& far = scene.Open();
  REQUIRE(far.Say("last"));
  far.Finish(Error(absl::StatusCode::kPermissionDenied, "NAMESPACE_FORBIDDEN", "not for you"));
  CHECK(scene.ReadAll() == std::vector<std::string>{"last"});
  const absl::Status end = scene.End();
  CHECK(absl::IsPermissionDenied(end));
  CHECK(ReasonOf(end) == "NAMESPACE_FORBIDDEN");
  CHECK(scene.Ended());
  CHECK(scene.near->audit.all.Get().empty());
  CHECK(scene.far->audit.all.Get().size() == 1);
}

TEST_CASE("A stream that was forwarded is not forwarded again") {
  Scene scene;
  scene.far->service.owner = scene.near->server.address();
  scene.Ask("first");
  CHECK(ReasonOf(scene.End()) == "NOT_OWNER");
}

TEST_CASE("When the client leaves, the other replica's call is cancelled") {
  Scene scene;
  AwaitCall& far = scene.Open();
  scene.context.TryCancel();
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  CHECK(scene.Ended());
}

TEST_CASE("A client that is let in no more is told here, and the other replica's call cancelled") {
  Scene scene;
  AwaitCall& far = scene.Open();
  scene.tokens.Revoke("good");
  scene.near->gate.LookAfterStreams();
  CHECK(ReasonOf(scene.End()) == "TOKEN_REVOKED");
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  CHECK(scene.near->audit.all.Get().size() == 1);
}

TEST_CASE("When the other replica is gone, or the forwarder drains, the stream is to be repeated") {
  Scene scene;
  scene.Open();
  const bool drains = GENERATE(false, true);
  if (drains) scene.near->forwarder.Drain();
  if (!drains) scene.far->server.Shutdown();
  CHECK(absl::IsUnavailable(scene.End()));
  CHECK(scene.Ended());
}

// So much that it has no room on the way.
constexpr int kMany = 400;
constexpr size_t kLarge = 20'000;

std::string Large(const std::string& number) { return number + std::string(kLarge, 'x'); }

std::vector<std::string> ManyLarge() {
  std::vector<std::string> all;
  for (const auto& number : Numbers(kMany)) all.push_back(Large(number));
  return all;
}

TEST_CASE("While the other replica does not read the client waits, and nothing is lost") {
  Scene scene;
  AwaitCall& far = scene.Open();
  std::atomic<int> written = 0;
  std::thread writer([&] {
    Request request;
    request.add_task_ids();
    for (const auto& number : Numbers(kMany)) {
      request.set_task_ids(0, Large(number));
      if (!scene.client->Write(request)) return;
      ++written;
    }
  });
  while (written < kMany / 10) std::this_thread::yield();
  CHECK(written < kMany);
  bool in_order = true;
  for (const auto& number : Numbers(kMany)) {
    in_order = in_order && far.Read()->task_ids(0) == Large(number);
  }
  writer.join();
  CHECK(in_order);
}

TEST_CASE("While the client does not read the other replica waits, and nothing is lost") {
  Scene scene;
  AwaitCall& far = scene.Open();
  std::atomic<int> said = 0;
  std::thread speaker([&] {
    for (const auto& number : Numbers(kMany)) {
      if (!far.Say(Large(number))) return;
      ++said;
    }
    far.Finish(absl::OkStatus());
  });
  while (said < kMany / 10) std::this_thread::yield();
  CHECK(said < kMany);
  CHECK(scene.ReadAll() == ManyLarge());
  speaker.join();
  CHECK(scene.End().ok());
}

TEST_CASE("A client that does not read holds no stream whose other replica is lost") {
  Scene scene;
  scene.Open().BeginToSay(std::string(400'000, 'x'));
  scene.client->WaitForInitialMetadata();  // It is on its way, and has no room.
  scene.near->forwarder.Stop();
  scene.clock.Advance(absl::Seconds(1));
  scene.near->gate.LookAfterStreams();
  CHECK(scene.Ended());
}

// Answers each id with itself, and writes down the tokens that it is shown.
class EchoStream final : public CoalescingStream<Request, Response> {
 public:
  EchoStream(Call* call, CallMonitor::Method& method, Awaited<std::vector<std::string>>& tokens)
      : CoalescingStream(call, method), tokens_(tokens) {}

 private:
  void OnRequest(Request& request) override {
    for (const auto& id : request.task_ids()) {
      (void)Post(id.size(), [&](Response& response) { response.add_results()->set_task_id(id); });
    }
  }
  void OnToken(std::string_view token) override {
    tokens_.Update([&](auto& tokens) { tokens.emplace_back(token); });
  }

  Awaited<std::vector<std::string>>& tokens_;
};

// The other replica echoes.
struct TokenScene : Scene {
  TokenScene() : Scene("short") {
    far->service.open = [this](AwaitNode::Call* call) {
      std::make_shared<EchoStream>(call, far->service.method, shown)->Start();
    };
    REQUIRE(Echoes("a"));
  }
  bool Echoes(const std::string& id, const std::string& token = "") {
    Ask(id, token);
    Response response;
    while (client->Read(&response)) {
      if (response.results_size() > 0) return response.results(0).task_id() == id;
    }
    return false;
  }
  bool IsAsked() {
    Response response;
    return client->Read(&response) && response.has_token_wanted();
  }

  Awaited<std::vector<std::string>> shown;  // To the other replica.
};

TEST_CASE("Both replicas ask for newer tokens, and are shown what the client shows") {
  TokenScene scene;
  scene.clock.Advance(absl::Minutes(9) + absl::Seconds(30));
  scene.far->gate.LookAfterStreams();
  CHECK(scene.IsAsked());
  scene.near->gate.LookAfterStreams();
  CHECK(scene.IsAsked());
  CHECK(scene.Echoes("b", "long"));
  CHECK(scene.shown.Get() == std::vector<std::string>{"long"});
  scene.clock.Advance(absl::Minutes(5));
  scene.near->gate.LookAfterStreams();
  scene.far->gate.LookAfterStreams();
  CHECK(scene.Echoes("c"));
}

TEST_CASE("A token that is no good is refused here, and not shown to the other replica") {
  TokenScene scene;
  scene.Ask("b", "guessed");
  CHECK(scene.ReadAll().empty());
  CHECK(ReasonOf(scene.End()) == "INVALID_TOKEN");
  CHECK(scene.shown.Get().empty());
}

}  // namespace
}  // namespace kantoku::platform
