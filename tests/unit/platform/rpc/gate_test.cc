#include "services/platform/rpc/gate.h"

#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <functional>
#include <map>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/rpc/token_source.h"
#include "services/platform/status.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;

// Knows tokens by their text.
class ListOfTokens final : public Authenticator {
 public:
  // `token` is good for this scope.
  void Add(const std::string& token, std::string_view scope,
           absl::Time expires = absl::InfiniteFuture()) {
    auto identity = std::make_shared<Identity>();
    identity->subject = "anna";
    identity->client_id = "laptop";
    identity->scopes = Scopes::Parse(scope);
    identity->token_id = token;
    identity->expires = expires;
    identities_[token] = std::move(identity);
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now&) override {
    const auto found = identities_.find(token);
    if (found != identities_.end()) return found->second;
    return Error(absl::StatusCode::kUnauthenticated, token.empty() ? "NO_TOKEN" : "INVALID_TOKEN",
                 "not known, from " + peer());
  }

  void Revoke(const std::string& token) { revoked_ = token; }
  absl::Status CheckStill(const Identity& identity, const Now& now) override {
    if (identity.token_id == revoked_) return absl::UnauthenticatedError("revoked");
    return Authenticator::CheckStill(identity, now);
  }

 private:
  std::map<std::string, std::shared_ptr<const Identity>, std::less<>> identities_;
  std::string revoked_ = "none";
};

// A stream that lasts until it is cancelled.
class LastingStream final : private StreamCall::Handler {
 public:
  using Call = BidiCall<outputspb::AwaitRequest, outputspb::AwaitResponse>;

  LastingStream(Call& call, Awaited<int>& open) : call_(call), open_(open) {
    call_.Accept(*this);
    open_.Update([](int& count) { ++count; });
  }

 private:
  void OnWriteDone(bool) override {}
  void OnCancel() override { call_.Finish(absl::CancelledError("cancelled")); }
  void OnDone() override {
    open_.Update([](int& count) { --count; });
    delete this;
  }

  Call& call_;
  Awaited<int>& open_;
};

// Methods for users and services, for users alone, for services alone, and one of streams.
class ProbeService final : public Service {
 public:
  explicit ProbeService(CallMonitor& calls)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Get")) {
    Handle("Get", &ProbeService::Look<outputspb::GetRequest, outputspb::GetResponse>);
    Handle("Put", &ProbeService::Look<outputspb::PutRequest, outputspb::PutResponse>);
    Handle("Fence", &ProbeService::Look<outputspb::FenceRequest, outputspb::FenceResponse>);
    Handle("PutItems", &ProbeService::Forgets);
    Handle("Stream", &ProbeService::Stream);
    Handle("Await", &ProbeService::Last);
  }

  // As a method might that asks nothing.
  void Forgets(UnaryCall* call, const outputspb::PutItemsRequest*, outputspb::PutItemsResponse*) {
    who.Set("nobody asked");
    call->Finish(absl::OkStatus());
  }

  template <typename Request, typename Response>
  void Look(UnaryCall* call, const Request*, Response*) {
    HandleUnary(call, method_, [this](const Identity& caller, Reply reply) {
      who.Set(caller.service.empty() ? caller.subject : "service " + caller.service);
      reply(absl::OkStatus());
    });
  }
  void Stream(ServerStreamCall<outputspb::StreamRequest, outputspb::StreamResponse>* call,
              const outputspb::StreamRequest*) {
    who.Set("stream");
    call->Refuse(method_, absl::OkStatus());
  }

  void Last(LastingStream::Call* call) { new LastingStream(*call, open); }

  Awaited<std::string> who;
  Awaited<int> open;  // Streams that last.

 private:
  CallMonitor::Method& method_;
};

struct Scene {
  // What a call of the method becomes: "anna", "service inputs", or the reason of its refusal.
  template <typename Method>
  std::string Call(Method method, const std::function<void(grpc::ClientContext&)>& show) {
    grpc::ClientContext context;
    show(context);
    const absl::Status status = FromGrpc(method(context));
    return status.ok() ? service.who.Get() : ReasonOf(status);
  }
  std::string Get(const std::function<void(grpc::ClientContext&)>& show) {
    outputspb::GetResponse response;
    return Call([&](auto& context) { return stub->Get(&context, {}, &response); }, show);
  }
  std::string Put(const std::function<void(grpc::ClientContext&)>& show) {
    outputspb::PutResponse response;
    return Call([&](auto& context) { return stub->Put(&context, {}, &response); }, show);
  }
  std::string Fence(const std::function<void(grpc::ClientContext&)>& show) {
    outputspb::FenceResponse response;
    return Call([&](auto& context) { return stub->Fence(&context, {}, &response); }, show);
  }
  std::string Stream(const std::function<void(grpc::ClientContext&)>& show) {
    const auto read = [&](grpc::ClientContext& context) {
      return stub->Stream(&context, {})->Finish();
    };
    return Call(read, show);
  }

  std::function<void(grpc::ClientContext&)> Bearer(const std::string& token) const {
    return [token](grpc::ClientContext& context) {
      context.AddMetadata("authorization", "Bearer " + token);
    };
  }
  std::function<void(grpc::ClientContext&)> AsInputs(const MacKeys& with) const {
    return [&with](grpc::ClientContext& context) {
      PresentAsService(context, with, "inputs", Clock::Real().Read().wall);
    };
  }

  const std::unique_ptr<MacKeys> keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  const std::unique_ptr<MacKeys> foreign = MacKeys::Make({{1, std::string(32, 'f')}}).value();
  ListOfTokens tokens;
  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  const Gate gate{tokens, *keys, Clock::Real(), &calls};
  ProbeService service{calls};
  TestServer server{service, gate};
  const std::unique_ptr<outputspb::OutputsService::Stub> stub =
      outputspb::OutputsService::NewStub(server.Connect());
};

void ShowNothing(grpc::ClientContext&) {}

TEST_CASE("Whoever shows no token, or one that is not known, does not get in") {
  Scene scene;
  CHECK(scene.Get(ShowNothing) == "NO_TOKEN");
  CHECK(scene.Stream(ShowNothing) == "NO_TOKEN");
  CHECK(scene.Get(scene.Bearer("guessed")) == "INVALID_TOKEN");
  CHECK(scene.Get([](auto& context) { context.AddMetadata("authorization", "Basic anna"); }) ==
        "NO_TOKEN");
}

TEST_CASE("A method that asks nothing is closed all the same, and refusals are counted") {
  Scene scene;
  scene.tokens.Add("writes", "outputs:write");
  outputspb::PutItemsResponse response;
  const auto put = [&](grpc::ClientContext& context) {
    return scene.stub->PutItems(&context, {}, &response);
  };
  CHECK(scene.Call(put, ShowNothing) == "NO_TOKEN");
  CHECK(scene.Call(put, scene.Bearer("writes")) == "nobody asked");
  CHECK_THAT(
      prometheus::TextSerializer().Serialize(scene.registry.Collect()),
      Catch::Contains(
          R"(kantoku_rpc_calls_total{code="UNAUTHENTICATED",method="OutputsService/PutItems"} 1)"));
}

TEST_CASE("A token opens the methods that its scopes name, and no others") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  scene.tokens.Add("writes", "outputs:write");
  scene.tokens.Add("spawns", "inputs:spawn");
  scene.tokens.Add("rules", "admin");
  CHECK(scene.Put(scene.Bearer("writes")) == "anna");
  CHECK(scene.Put(scene.Bearer("rules")) == "anna");
  CHECK(scene.Put(scene.Bearer("reads")) == "SCOPE_MISSING");
  CHECK(scene.Get(scene.Bearer("reads")) == "anna");
  CHECK(scene.Get(scene.Bearer("writes")) == "anna");  // One of two scopes is enough.
  CHECK(scene.Get(scene.Bearer("spawns")) == "SCOPE_MISSING");
  CHECK(scene.Stream(scene.Bearer("writes")) == "SCOPE_MISSING");
}

TEST_CASE("The word before a token is written in large or small letters") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  const auto show = [](auto& context) { context.AddMetadata("authorization", "bEARER reads"); };
  CHECK(scene.Get(show) == "anna");
}

TEST_CASE("Of two tokens neither is taken") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  const auto show = [](auto& context) {
    context.AddMetadata("authorization", "Bearer reads");
    context.AddMetadata("authorization", "Bearer reads");
  };
  CHECK(scene.Get(show) == "INVALID_TOKEN");
}

TEST_CASE("What only services may call is closed to every token") {
  Scene scene;
  scene.tokens.Add("rules", "admin");
  CHECK(scene.Fence(scene.Bearer("rules")) == "NOT_A_SERVICE");
  CHECK(scene.Fence(ShowNothing) == "NOT_A_SERVICE");
  CHECK(scene.Fence(scene.AsInputs(*scene.keys)) == "service inputs");
  CHECK(scene.Fence(scene.AsInputs(*scene.foreign)) == "NOT_A_SERVICE");
}

TEST_CASE("A service is itself where services may call, and nobody elsewhere") {
  Scene scene;
  CHECK(scene.Get(scene.AsInputs(*scene.keys)) == "service inputs");
  CHECK(scene.Put(scene.AsInputs(*scene.keys)) == "NO_TOKEN");
  CHECK(scene.Get(scene.AsInputs(*scene.foreign)) == "NOT_A_SERVICE");
}

TEST_CASE("Streams of a token that was revoked or has ended are cancelled, and no others") {
  Scene scene;
  const absl::Time now = Clock::Real().Read().wall;
  scene.tokens.Add("good", "outputs:read", now + absl::Hours(1));
  scene.tokens.Add("revoked", "outputs:read", now + absl::Hours(1));
  scene.tokens.Add("ended", "outputs:read", now - absl::Minutes(1));
  const auto stays = [&](int count) {
    return scene.service.open.Becomes([count](int open) { return open == count; });
  };
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<outputspb::AwaitRequest, outputspb::AwaitResponse>>
        call;
  };
  std::map<std::string, Stream> streams;
  for (const char* const token : {"good", "revoked", "ended"}) {
    Stream& stream = streams[token];
    scene.Bearer(token)(stream.context);
    stream.call = scene.stub->Await(&stream.context);
  }
  REQUIRE(stays(3));
  scene.gate.EndRefused();
  CHECK(stays(2));
  CHECK(streams["ended"].call->Finish().error_code() == grpc::StatusCode::CANCELLED);
  scene.tokens.Revoke("revoked");
  scene.gate.EndRefused();
  CHECK(stays(1));
  CHECK(streams["revoked"].call->Finish().error_code() == grpc::StatusCode::CANCELLED);
  streams["good"].context.TryCancel();
  streams["good"].call->Finish();
  CHECK(stays(0));
  scene.gate.EndRefused();  // Of what is gone it knows nothing any more.
}

// What a call on this channel, which shows nothing itself, becomes.
std::string GetThrough(Scene& scene, const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = outputspb::OutputsService::NewStub(channel);
  outputspb::GetResponse response;
  return scene.Call([&](auto& context) { return stub->Get(&context, {}, &response); }, ShowNothing);
}

TEST_CASE("A channel shows the token that there is when a call leaves") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  const auto channel = MakeChannel(scene.server.address(), {.tokens = *MakeFixedToken("reads")});
  REQUIRE(channel.ok());
  CHECK(GetThrough(scene, *channel) == "anna");
  CHECK(GetThrough(scene, MakeChannel(scene.server.address())) == "NO_TOKEN");
}

TEST_CASE("To this computer a call goes straight, whatever proxy there is") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  ::setenv("http_proxy", "http://127.0.0.1:1", 1);  // Where nobody is.
  const auto channel = MakeChannel(scene.server.address(), {.tokens = *MakeFixedToken("reads")});
  const std::string with_token = GetThrough(scene, *channel);
  const std::string without = GetThrough(scene, MakeChannel(scene.server.address()));
  ::unsetenv("http_proxy");
  CHECK(with_token == "anna");
  CHECK(without == "NO_TOKEN");
}

}  // namespace
}  // namespace kantoku::platform
