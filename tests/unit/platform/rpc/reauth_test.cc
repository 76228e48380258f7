// Access tokens within streams, through gRPC and with real tokens; time is the test's.
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/identity/jwt_authenticator.h"
#include "services/platform/rpc/bidi_stream.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/support/fake_clock.h"
#include "tests/support/token_maker.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any method whose messages have tokens would do.
using Request = outputspb::AwaitRequest;
using Response = outputspb::AwaitResponse;

// Answers each id with itself.
class EchoStream final : public CoalescingStream<Request, Response> {
 public:
  EchoStream(Call* call, CallMonitor::Method& method, Awaited<std::vector<std::string>>& seen)
      : CoalescingStream(call, method), seen_(seen) {}

 private:
  void OnRequest(Request& request) override {
    seen_.Update([&](auto& tokens) { tokens.push_back(request.access_token()); });
    for (const std::string& id : request.task_ids()) {
      (void)Post(id.size(), [&](Response& response) { response.add_results()->set_task_id(id); });
    }
  }

  Awaited<std::vector<std::string>>& seen_;
};

class EchoService final : public Service {
 public:
  explicit EchoService(CallMonitor& calls)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Await")) {
    Handle("Await", &EchoService::Await);
  }
  void Await(EchoStream::Call* call) {
    opened.Update([](int& count) { ++count; });
    std::make_shared<EchoStream>(call, method_, seen)->Start();
  }

  Awaited<int> opened;
  Awaited<std::vector<std::string>> seen;  // The tokens of the requests that the streams got.

 private:
  CallMonitor::Method& method_;
};

// A server that knows one issuer, and a stream to it.
class Scene {
 public:
  explicit Scene(absl::Duration life = absl::Minutes(10)) {
    Fetch();
    context_.AddMetadata("authorization", "Bearer " + Token(life));
    // What a test waits for comes within this time, or never.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_->Await(&context_);
    REQUIRE(Echoes());
  }
  ~Scene() {
    context_.TryCancel();
    if (stream_ != nullptr) stream_->Finish();
  }

  // Of anna, whatever `change` makes of it.
  std::string Token(
      absl::Duration life, const std::function<void(nlohmann::json&)>& change = [](auto&) {}) {
    nlohmann::json claims = test::Claims(clock.Read().wall);
    claims["exp"] = absl::ToUnixSeconds(clock.Read().wall + life);
    claims["jti"] = std::to_string(++tokens_);
    change(claims);
    return makers_[rotated_ ? 1 : 0].Sign(claims);
  }
  // From now on the issuer signs with another key.
  void Rotate() { rotated_ = true; }
  // The server gets the keys that there are; where `whole` is false, without the newest.
  void Fetch(bool whole = true) {
    std::vector<nlohmann::json> keys = {makers_[0].Jwk()};
    if (whole && rotated_) keys.push_back(makers_[1].Jwk());
    REQUIRE(authenticator_.SetKeys(0, test::KeySetOf(keys), clock.Read()).ok());
  }

  // Lets so much time go by; the gate looks at its end.
  void Pass(absl::Duration time) {
    clock.Advance(time);
    gate_.LookAfterStreams();
  }
  void Show(const std::string& token) {
    Request request;
    request.set_access_token(token);
    REQUIRE(stream_->Write(request));
  }
  // Whether the stream is there and answers.
  bool Echoes() {
    Request request;
    request.add_task_ids("id");
    if (!stream_->Write(request)) return false;
    Response response;
    while (stream_->Read(&response)) {
      asked_ = asked_ || response.has_token_wanted();
      if (response.results_size() > 0) return true;
    }
    return false;
  }
  // For how long the token is still good, says the server when it wants a newer one.
  absl::Duration AwaitAsk() {
    Response response;
    while (stream_->Read(&response)) {
      if (response.has_token_wanted()) return FromProto(response.token_wanted().within());
    }
    FAIL("the stream has ended");
    return absl::InfiniteDuration();
  }
  bool WasAsked() { return std::exchange(asked_, false); }
  // The reason with which the stream ends, after whatever still comes.
  std::string End() {
    Response response;
    while (stream_->Read(&response)) {
    }
    return ReasonOf(FromGrpc(std::exchange(stream_, nullptr)->Finish()));
  }
  // What becomes of another stream with this token.
  std::string OpenAnother(const std::string& token) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    return ReasonOf(FromGrpc(stub_->Await(&context)->Finish()));
  }
  Awaited<std::vector<std::string>>& seen() { return service_.seen; }
  int opened() { return service_.opened.Get(); }

  FakeClock clock;

 private:
  static JwtAuthenticator::Options Options() {
    JwtAuthenticator::Options options;
    options.issuers = {{.issuer = test::kIssuer, .audiences = {test::kAudience}}};
    options.times.leeway = absl::ZeroDuration();
    options.failures.of_one = {.per_second = 0.05, .burst = 1};
    return options;
  }

  const std::array<test::TokenMaker, 2> makers_ = {test::TokenMaker("ES256", "key-1"),
                                                   test::TokenMaker("ES256", "key-2")};
  bool rotated_ = false;
  int tokens_ = 0;
  const std::unique_ptr<MacKeys> keys_ = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  JwtAuthenticator authenticator_{Options(), [](size_t) {}};
  prometheus::Registry registry_;
  CallMonitor calls_{registry_, Clock::Real()};
  const Gate gate_{authenticator_, *keys_, clock};
  EchoService service_{calls_};
  TestServer server_{service_, gate_};
  const std::unique_ptr<outputspb::OutputsService::Stub> stub_ =
      outputspb::OutputsService::NewStub(server_.Connect());
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
  bool asked_ = false;
};

TEST_CASE(
    "A stream outlives as many tokens as it is shown, each asked for before the last one ends") {
  Scene scene;
  for (int i = 0; i < 3; ++i) {
    scene.Pass(absl::Minutes(9));
    CHECK(scene.AwaitAsk() == absl::Minutes(1));
    scene.Show(scene.Token(absl::Minutes(10)));
    CHECK(scene.Echoes());
  }
  scene.Pass(absl::Minutes(8));
  CHECK(scene.Echoes());
  CHECK_FALSE(scene.WasAsked());
  CHECK(scene.opened() == 1);
}

TEST_CASE("What a stream is about does not see its tokens") {
  Scene scene;
  scene.Show(scene.Token(absl::Minutes(20)));
  REQUIRE(scene.Echoes());
  CHECK(scene.seen().Get() == std::vector<std::string>{"", "", ""});
}

TEST_CASE("Without a newer token a stream ends some seconds after the one it has, and not before") {
  Scene scene;
  scene.Pass(absl::Minutes(10) + absl::Seconds(4));
  CHECK(scene.AwaitAsk() == absl::ZeroDuration());
  CHECK(scene.Echoes());
  scene.Pass(absl::Seconds(1));
  CHECK(scene.End() == "TOKEN_EXPIRED");
}

TEST_CASE(
    "A token of somebody else, or with other rights, ends the stream, and nothing is done for it") {
  Scene scene;
  const std::string claim = GENERATE("sub", "client_id", "scope", "kantoku_namespaces");
  const std::string other = claim == "scope" ? "outputs:read" : "bert";
  scene.Show(scene.Token(absl::Minutes(10), [&](auto& claims) { claims[claim] = other; }));
  CHECK(scene.End() == "TOKEN_DIFFERS");
  CHECK(scene.seen().Get().size() == 1);  // The request that opened it.
}

TEST_CASE("A bad token in a stream ends it, and counts as one that comes with a call") {
  Scene scene;
  scene.Show(scene.Token(absl::Minutes(10), [](auto& claims) { claims["aud"] = "elsewhere"; }));
  CHECK(scene.End() == "INVALID_TOKEN");
  CHECK(scene.OpenAnother("a guess") == "TOO_MANY_BAD_TOKENS");
}

TEST_CASE("A token that has ended already ends the stream like a call") {
  Scene scene;
  scene.Show(scene.Token(-absl::Seconds(1)));
  CHECK(scene.End() == "TOKEN_EXPIRED");
}

TEST_CASE("A token of a key that is being fetched is shown once, and taken when the key is there") {
  Scene scene;
  scene.Pass(absl::Minutes(9));
  REQUIRE(scene.AwaitAsk() == absl::Minutes(1));
  scene.Rotate();
  scene.Show(scene.Token(absl::Minutes(10)));
  CHECK(scene.Echoes());
  scene.Pass(absl::Seconds(63));  // In the grace of the first.
  CHECK(scene.Echoes());
  scene.Fetch();
  scene.Pass(absl::Seconds(1));
  scene.Pass(absl::Minutes(7));
  CHECK(scene.Echoes());
  CHECK_FALSE(scene.WasAsked());
  CHECK(scene.opened() == 1);
}

TEST_CASE("While forged tokens come from an address, streams from there get newer ones in time") {
  Scene scene;
  scene.Pass(absl::Minutes(9));
  REQUIRE(scene.AwaitAsk() == absl::Minutes(1));
  REQUIRE(scene.OpenAnother("a guess") == "INVALID_TOKEN");
  REQUIRE(scene.OpenAnother(scene.Token(absl::Minutes(10))) == "TOO_MANY_BAD_TOKENS");
  scene.Show(scene.Token(absl::Minutes(10)));
  CHECK(scene.Echoes());
  scene.Pass(absl::Seconds(1));
  CHECK(scene.Echoes());
  scene.Pass(absl::Seconds(20));
  scene.Pass(absl::Minutes(7));
  CHECK(scene.Echoes());
  CHECK_FALSE(scene.WasAsked());
}

TEST_CASE("A token of a key that never comes ends the stream no later than without it") {
  Scene scene;
  scene.Pass(absl::Minutes(9));
  scene.Rotate();
  scene.Show(scene.Token(absl::Minutes(20)));
  REQUIRE(scene.Echoes());
  scene.Pass(absl::Seconds(64));
  CHECK(scene.Echoes());
  scene.Pass(absl::Seconds(1));
  CHECK(scene.End() == "TOKEN_EXPIRED");
}

TEST_CASE("A token of a key that its issuer turns out not to have ends the stream") {
  Scene scene;
  scene.Pass(absl::Minutes(1));
  scene.Rotate();
  scene.Show(scene.Token(absl::Minutes(20)));
  REQUIRE(scene.Echoes());
  scene.Fetch(/*whole=*/false);
  scene.Pass(absl::Seconds(1));
  CHECK(scene.End() == "INVALID_TOKEN");
}

TEST_CASE("A token that nobody asked for is taken") {
  Scene scene;
  scene.Show(scene.Token(absl::Minutes(30)));
  REQUIRE(scene.Echoes());
  scene.Pass(absl::Minutes(28));
  CHECK(scene.Echoes());
  CHECK_FALSE(scene.WasAsked());
}

}  // namespace
}  // namespace kantoku::platform
