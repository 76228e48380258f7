#include "services/platform/rpc/gate.h"

#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/rpc/token_source.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/rpc/list_of_tokens.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;

// A stream that lasts until it is refused or cancelled; one that is stubborn, until it is
// cancelled.
class LastingStream final : private StreamCall::Handler {
 public:
  using Call = BidiCall<outputspb::AwaitRequest, outputspb::AwaitResponse>;

  LastingStream(Call& call, bool stubborn, Awaited<int>& open)
      : call_(call), stubborn_(stubborn), open_(open) {
    call_.Accept(*this);
    open_.Update([](int& count) { ++count; });
  }

 private:
  void OnWriteDone(bool) override {}
  void OnCancel() override {
    if (!std::exchange(finished_, true)) call_.Finish(absl::CancelledError("cancelled"));
  }
  void OnRefused(const absl::Status& why) override {
    if (!stubborn_ && !std::exchange(finished_, true)) call_.Finish(why);
  }
  void OnDone() override {
    open_.Update([](int& count) { --count; });
    delete this;
  }

  Call& call_;
  const bool stubborn_;
  Awaited<int>& open_;
  bool finished_ = false;
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

  // What Get and Stream end with, and what an item of Get's comes to.
  absl::Status end;
  absl::Status item;

  // As a method might that asks nothing.
  void Forgets(UnaryCall* call, const outputspb::PutItemsRequest*, outputspb::PutItemsResponse*) {
    who.Set("nobody asked");
    call->Finish(absl::OkStatus());
  }

  template <typename Request, typename Response>
  void Look(UnaryCall* call, const Request*, Response*) {
    HandleUnary(call, method_, [&, call](const Identity& caller, Reply reply) {
      call->NoteRefusal(item);
      who.Set(caller.service.empty() ? caller.subject : "service " + caller.service);
      reply(end);
    });
  }
  void Stream(ServerStreamCall<outputspb::StreamRequest, outputspb::StreamResponse>* call,
              const outputspb::StreamRequest*) {
    who.Set("stream");
    call->Refuse(method_, end);
  }

  void Last(LastingStream::Call* call) { new LastingStream(*call, stubborn, open); }

  bool stubborn = false;
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
    return [&with, now = clock.Read().wall](grpc::ClientContext& context) {
      PresentAsService(context, with, "inputs", now);
    };
  }

  const std::unique_ptr<MacKeys> keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  const std::unique_ptr<MacKeys> foreign = MacKeys::Make({{1, std::string(32, 'f')}}).value();
  ListOfTokens tokens;
  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  ListOfEvents audit;
  FakeClock clock;
  const Gate gate{tokens, *keys, clock, &calls, &audit};
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

// That of a handler for somebody else's task.
std::string ATaskToken(const MacKeys& keys, absl::Duration lifetime = absl::Minutes(1)) {
  return TaskTokenOf(SealLease(keys, {.task = TaskId::Make(absl::UnixEpoch(), 1, 1, 1),
                                      .dispatch = 3,
                                      .session = {},
                                      .holder = {"lab", "worker"},
                                      .name_space = "default",
                                      .owner = "anna",
                                      .expires = FakeClock().Read().wall + lifetime,
                                      .retention = absl::Hours(1),
                                      .spawn_scope = "inputs:spawn:work"}));
}

TEST_CASE("A task token opens nothing but what is for spawning alone") {
  Scene scene;
  const std::string token = ATaskToken(*scene.keys);
  CHECK(scene.Get(scene.Bearer(token)) == "SCOPE_MISSING");
  CHECK(scene.Put(scene.Bearer(token)) == "SCOPE_MISSING");
  CHECK(scene.Stream(scene.Bearer(token)) == "SCOPE_MISSING");
  CHECK(scene.Fence(scene.Bearer(token)) == "NOT_A_SERVICE");
  CHECK(scene.Get(scene.Bearer(ATaskToken(*scene.foreign))) == "INVALID_TOKEN");
  CHECK(scene.Get(scene.Bearer(ATaskToken(*scene.keys, -absl::Seconds(1)))) == "TOKEN_EXPIRED");
  // It is not looked for among others.
  scene.tokens.Add("kantoku-task.mine", "outputs:read");
  CHECK(scene.Get(scene.Bearer("kantoku-task.mine")) == "INVALID_TOKEN");
}

TEST_CASE("Where everybody is the administrator, a task token opens no more than elsewhere") {
  Scene scene;
  LocalAuthenticator everybody;
  const Gate gate(everybody, *scene.keys, scene.clock);
  ProbeService service(scene.calls);
  TestServer server(service, gate);
  const auto stub = outputspb::OutputsService::NewStub(server.Connect());
  const auto get = [&](const auto& show) {
    grpc::ClientContext context;
    show(context);
    outputspb::GetResponse response;
    return ReasonOf(FromGrpc(stub->Get(&context, {}, &response)));
  };
  CHECK(get(ShowNothing).empty());
  CHECK(get(scene.Bearer(ATaskToken(*scene.keys))) == "SCOPE_MISSING");
}

TEST_CASE("Whoever shows a task token is the task's owner, with the executor's app") {
  const auto keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  const Identity identity =
      HandlerOf(*OpenTaskToken(*keys, ATaskToken(*keys), FakeClock().Read().wall));
  CHECK(identity.subject == "anna");
  CHECK(identity.client_id == "worker");
  REQUIRE(identity.handler.has_value());
  CHECK(identity.handler->executor_owner == "lab");
  CHECK(identity.handler->dispatch == 3);
  for (size_t i = 0; i < kVerbs; ++i) {
    const auto verb = static_cast<Verb>(i);
    CHECK(identity.scopes.Allows(verb) == (verb == Verb::kSpawn));
  }
  CHECK(identity.MayUse("default"));
  CHECK_FALSE(identity.MayUse("lab"));
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

using Details = std::map<std::string, std::string>;

// The details of the only event that was said, but `peer` and `message`, which it has.
Details OnlyRefusal(Scene& scene) {
  std::vector<AuditEvent> events = scene.audit.all.Get();
  scene.audit.all.Set({});
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == "audit.refused");
  CHECK(events[0].name_space == kEveryNamespace);
  CHECK(events[0].details["peer"] == "127.0.0.1");
  CHECK_FALSE(events[0].details["message"].empty());
  events[0].details.erase("peer");
  events[0].details.erase("message");
  return events[0].details;
}

TEST_CASE("A refusal at the gate is in the audit trail, with what is known of who was refused") {
  Scene scene;
  scene.tokens.Add("spawns", "inputs:spawn");
  scene.Get(ShowNothing);
  CHECK(OnlyRefusal(scene) == Details{{"method", "OutputsService/Get"}, {"reason", "NO_TOKEN"}});
  scene.Stream(scene.Bearer("guessed"));
  CHECK(OnlyRefusal(scene) ==
        Details{{"method", "OutputsService/Stream"}, {"reason", "INVALID_TOKEN"}});
  scene.Put(scene.Bearer("spawns"));
  CHECK(OnlyRefusal(scene) == Details{{"method", "OutputsService/Put"},
                                      {"reason", "SCOPE_MISSING"},
                                      {"user", "anna"},
                                      {"app", "laptop"}});
  scene.Fence(scene.AsInputs(*scene.foreign));
  CHECK(OnlyRefusal(scene) ==
        Details{{"method", "OutputsService/Fence"}, {"reason", "NOT_A_SERVICE"}});
}

TEST_CASE("A refusal deeper, of a call or a stream, is in the audit trail as well") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  scene.service.end =
      Error(absl::StatusCode::kPermissionDenied, "NAMESPACE_FORBIDDEN", "not for that namespace");
  scene.Get(scene.Bearer("reads"));
  CHECK(OnlyRefusal(scene) == Details{{"method", "OutputsService/Get"},
                                      {"reason", "NAMESPACE_FORBIDDEN"},
                                      {"user", "anna"},
                                      {"app", "laptop"}});
  scene.Stream(scene.Bearer("reads"));
  CHECK(OnlyRefusal(scene)["method"] == "OutputsService/Stream");
  scene.Get(scene.AsInputs(*scene.keys));
  CHECK(OnlyRefusal(scene) == Details{{"method", "OutputsService/Get"},
                                      {"reason", "NAMESPACE_FORBIDDEN"},
                                      {"service", "inputs"}});
}

TEST_CASE("An item that is refused, of which others go on, is in the audit trail") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  scene.service.item = Error(absl::StatusCode::kPermissionDenied, "INVALID_LEASE", "of another");
  CHECK(scene.Get(scene.Bearer("reads")) == "anna");
  CHECK(OnlyRefusal(scene)["reason"] == "INVALID_LEASE");
}

TEST_CASE("What is hidden from its caller is in the audit trail") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  scene.service.end = Hidden(Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "there is none"));
  scene.Get(scene.Bearer("reads"));
  CHECK(OnlyRefusal(scene)["reason"] == "NO_SUCH_TASK");
}

TEST_CASE("What ends well, or with another error than a refusal, is not in the audit trail") {
  Scene scene;
  scene.tokens.Add("reads", "outputs:read");
  scene.Get(scene.Bearer("reads"));
  scene.service.end = Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "there is none");
  scene.Get(scene.Bearer("reads"));
  scene.Stream(scene.Bearer("reads"));
  CHECK(scene.audit.all.Get().empty());
  scene.service.end = Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_BAD_TOKENS", "wait");
  scene.Get(scene.Bearer("reads"));
  CHECK(OnlyRefusal(scene)["reason"] == "TOO_MANY_BAD_TOKENS");
}

// Streams of different tokens, as a client sees them.
struct Streams {
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<outputspb::AwaitRequest, outputspb::AwaitResponse>>
        call;
  };

  void Open(Scene& scene, const std::string& token) {
    Stream& stream = of_token[token];
    scene.Bearer(token)(stream.context);
    stream.call = scene.stub->Await(&stream.context);
    const int count = static_cast<int>(of_token.size());
    REQUIRE(scene.service.open.Becomes([count](int open) { return open == count; }));
  }
  absl::Status End(const std::string& token) { return FromGrpc(of_token[token].call->Finish()); }

  std::map<std::string, Stream> of_token;
};

TEST_CASE("Streams of a token that was revoked or has ended end with why, and no others") {
  Scene scene;
  const absl::Time now = scene.clock.Read().wall;
  scene.tokens.Add("good", "outputs:read", now + absl::Hours(1));
  scene.tokens.Add("revoked", "outputs:read", now + absl::Hours(1));
  scene.tokens.Add("ends", "outputs:read", now + absl::Minutes(1));
  Streams streams;
  for (const char* const token : {"good", "revoked", "ends"}) streams.Open(scene, token);
  const auto stays = [&](int count) {
    return scene.service.open.Becomes([count](int open) { return open == count; });
  };
  scene.clock.Advance(absl::Minutes(1) + StreamWatch::kGrace - absl::Seconds(1));
  scene.gate.LookAfterStreams();
  CHECK(scene.service.open.Get() == 3);
  scene.clock.Advance(absl::Seconds(1));
  scene.gate.LookAfterStreams();
  CHECK(ReasonOf(streams.End("ends")) == "TOKEN_EXPIRED");
  CHECK(stays(2));
  scene.tokens.Revoke("revoked");
  scene.gate.LookAfterStreams();
  CHECK(ReasonOf(streams.End("revoked")) == "TOKEN_REVOKED");
  CHECK(stays(1));
  streams.of_token["good"].context.TryCancel();
  CHECK(absl::IsCancelled(streams.End("good")));
  CHECK(stays(0));
  scene.gate.LookAfterStreams();  // Of what is gone it knows nothing any more.
}

TEST_CASE("A stream that is refused and does not end is cancelled a second later") {
  Scene scene;
  scene.tokens.Add("revoked", "outputs:read");
  scene.service.stubborn = true;
  Streams streams;
  streams.Open(scene, "revoked");
  scene.tokens.Revoke("revoked");
  for (int i = 0; i < 4; ++i) {
    scene.gate.LookAfterStreams();
    CHECK(scene.service.open.Get() == 1);
    scene.clock.Advance(absl::Milliseconds(250));
  }
  scene.gate.LookAfterStreams();
  CHECK(absl::IsCancelled(streams.End("revoked")));
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

// A source that gets a newer token when one is wanted, if there is one.
class NextToken final : public TokenSource {
 public:
  NextToken(std::string token, std::string next)
      : token_(std::move(token)), next_(std::move(next)) {}

  std::string Token() override {
    MutexLock lock(mutex_);
    return token_;
  }
  bool Renew(std::string_view) override {
    MutexLock lock(mutex_);
    const bool can = !next_.empty();
    if (can) token_ = next_;
    return can;
  }

 private:
  Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  const std::string next_;
};

TEST_CASE(
    "A call whose token has ended may be repeated where there is a newer one, and only there") {
  Scene scene;
  scene.tokens.Add("ended", "outputs:read", scene.clock.Read().wall);
  scene.tokens.Add("good", "outputs:read");
  const auto get = [&](const std::string& token, const std::string& next) {
    const auto channel =
        MakeChannel(scene.server.address(), {.tokens = std::make_shared<NextToken>(token, next)});
    const auto stub = outputspb::OutputsService::NewStub(*channel);
    outputspb::GetResponse response;
    grpc::ClientContext first;
    const absl::Status refused = FromGrpc(stub->Get(&first, {}, &response));
    grpc::ClientContext second;
    return std::pair(refused, FromGrpc(stub->Get(&second, {}, &response)));
  };
  const auto [renewed, repeated] = get("ended", "good");
  CHECK(absl::IsUnavailable(renewed));
  CHECK(ReasonOf(renewed) == "TOKEN_EXPIRED");
  CHECK(repeated.ok());
  const auto [fixed, again] = get("ended", "");
  CHECK(absl::IsUnauthenticated(fixed));
  CHECK(ReasonOf(again) == "TOKEN_EXPIRED");
  // What is wrong for another reason may become good, but the call is not the same then.
  const auto [unknown, known] = get("guessed", "good");
  CHECK(absl::IsUnauthenticated(unknown));
  CHECK(known.ok());
}

TEST_CASE("A stream that ends with its token may be opened again where there is a newer one") {
  Scene scene;
  const absl::Time now = scene.clock.Read().wall;
  scene.tokens.Add("ends", "outputs:read", now + absl::Minutes(1));
  const auto channel =
      MakeChannel(scene.server.address(), {.tokens = std::make_shared<NextToken>("ends", "next")});
  const auto stub = outputspb::OutputsService::NewStub(*channel);
  grpc::ClientContext context;
  const auto stream = stub->Await(&context);
  REQUIRE(scene.service.open.Becomes([](int open) { return open == 1; }));
  scene.clock.Advance(absl::Minutes(1) + StreamWatch::kGrace);
  scene.gate.LookAfterStreams();
  const absl::Status ended = FromGrpc(stream->Finish());
  CHECK(absl::IsUnavailable(ended));
  CHECK(ReasonOf(ended) == "TOKEN_EXPIRED");
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
