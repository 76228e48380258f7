#include "services/platform/rpc/relayed_server_stream.h"

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "tests/unit/platform/rpc/forwarding_scene.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any method with a stream of answers would do.
using Request = outputspb::StreamRequest;
using Message = outputspb::StreamResponse;

// The other replica's call, which says numbers when a test wants it to.
template <typename Response>
class Speaker final : private StreamCall::Handler {
 public:
  using Call = ServerStreamCall<Request, Response>;

  Speaker(Call& call, std::string asked) : asked(std::move(asked)), call_(call) {
    call.Accept(*this);
  }

  // Whether it was said. Beside its number it has so many bytes.
  bool Say(uint64_t number, size_t bytes = 0) {
    Message message;
    message.set_first_sequence(number);
    message.add_items()->set_data(std::string(bytes, 'x'));
    written_.Set({});
    Write(message, std::type_identity<Response>());
    KANTOKU_CHECK(written_.Becomes([](const auto& ok) { return ok.has_value(); }));
    return *written_.Get();
  }
  // Only the first counts, be it that of a client that left.
  void Finish(const absl::Status& status) {
    if (!finished_.exchange(true)) call_.Finish(status);
  }

  const std::string asked;
  Awaited<bool> cancelled;

 private:
  void Write(const Message& message, std::type_identity<Message>) { call_.StartWrite(&message); }
  void Write(const Message& message, std::type_identity<SharedEncoded<Message>>) {
    Encoded<Message> encoded;
    encoded.Merge(message);
    const SharedEncoded<Message> shared(std::move(encoded));
    call_.StartWrite(&shared);
  }
  void OnWriteDone(bool ok) override { written_.Set(ok); }
  void OnCancel() override {
    cancelled.Set(true);
    Finish(absl::CancelledError("the client left"));
  }
  void OnRefused(const absl::Status& why) override { Finish(why); }
  void OnDone() override {}

  Call& call_;
  std::atomic<bool> finished_ = false;
  Awaited<std::optional<bool>> written_;
};

template <typename Response>
class StreamNode final : public Service {
 public:
  using Call = ServerStreamCall<Request, Response>;

  StreamNode(CallMonitor& calls, Forwarder& forwarder)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Stream")),
        forwarder_(forwarder) {
    Handle("Stream", &StreamNode::Stream);
  }

  Speaker<Response>& OnlyCall() {
    REQUIRE(speaker_.Becomes([](const auto& speaker) { return speaker != nullptr; }));
    return *speaker_.Get();
  }

  std::string owner;  // Who has what is asked for; empty: we.
  Awaited<std::weak_ptr<RelayedServerStream<Request, Response>>> relayed;
  Awaited<int> ended;  // Streams that were answered elsewhere.

  void Stream(Call* call, const Request* request) {
    if (owner.empty()) {
      return speaker_.Set(std::make_shared<Speaker<Response>>(*call, request->task_id()));
    }
    const auto stream = std::make_shared<RelayedServerStream<Request, Response>>(
        call, method_, forwarder_, RelayTarget{"/kantoku.outputs.v1.OutputsService/Stream", owner},
        [this] { ended.Update([](int& count) { ++count; }); });
    relayed.Set(stream);
    stream->Start(*request);
  }

 private:
  CallMonitor::Method& method_;
  Forwarder& forwarder_;
  Awaited<std::shared_ptr<Speaker<Response>>> speaker_;
};

template <typename Response>
struct Scene : ForwardingScene<StreamNode<Response>> {
  Scene() {
    this->Limit(context);
    this->Show(context, "good");
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // What is not read stays where it is.
    Request request;
    request.set_task_id("seven");
    client = outputspb::OutputsService::NewStub(this->near->server.Connect(arguments))
                 ->Stream(&context, request);
  }
  ~Scene() { context.TryCancel(); }

  Speaker<Response>& FarCall() { return this->far->service.OnlyCall(); }
  std::vector<uint64_t> ReadAll() {
    std::vector<uint64_t> numbers;
    Message message;
    while (client->Read(&message)) numbers.push_back(message.first_sequence());
    return numbers;
  }
  absl::Status End() { return FromGrpc(client->Finish()); }
  bool Ended() {
    return this->near->service.ended.Becomes([](int count) { return count == 1; });
  }

  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Message>> client;
};

std::vector<uint64_t> UpTo(uint64_t count) {
  std::vector<uint64_t> numbers;
  for (uint64_t i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

TEMPLATE_TEST_CASE("Answers to one request are relayed in order, and the end of them", "", Message,
                   SharedEncoded<Message>) {
  Scene<TestType> scene;
  auto& far = scene.FarCall();
  CHECK(far.asked == "seven");
  std::thread speaker([&] {
    for (const uint64_t number : UpTo(100)) {
      if (!far.Say(number)) return;
    }
    far.Finish(Error(absl::StatusCode::kPermissionDenied, "TASK_FORBIDDEN", "no more for you"));
  });
  CHECK(scene.ReadAll() == UpTo(100));
  speaker.join();
  CHECK(ReasonOf(scene.End()) == "TASK_FORBIDDEN");
  CHECK(scene.Ended());
  CHECK(scene.near->audit.all.Get().empty());
  CHECK(scene.far->audit.all.Get().size() == 1);
}

TEST_CASE("While a client does not read its answers the other replica waits") {
  constexpr uint64_t kMany = 400;
  Scene<Message> scene;
  auto& far = scene.FarCall();
  std::atomic<uint64_t> said = 0;
  std::thread speaker([&] {
    for (const uint64_t number : UpTo(kMany)) {
      if (!far.Say(number, 20'000)) return;
      ++said;
    }
    far.Finish(absl::OkStatus());
  });
  while (said < 4) std::this_thread::yield();
  CHECK(said < kMany);
  CHECK(scene.ReadAll() == UpTo(kMany));
  speaker.join();
  CHECK(scene.End().ok());
}

TEST_CASE("When a client leaves its answers, the other replica's call is cancelled") {
  Scene<Message> scene;
  auto& far = scene.FarCall();
  REQUIRE(far.Say(1));
  scene.context.TryCancel();
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  CHECK(scene.Ended());
  CHECK(scene.near->calls.AwaitNoStreams(absl::Seconds(30)));
}

TEST_CASE("A client that is let in no more gets no more answers, and why") {
  Scene<Message> scene;
  auto& far = scene.FarCall();
  scene.tokens.Revoke("good");
  scene.near->gate.LookAfterStreams();
  CHECK(ReasonOf(scene.End()) == "TOKEN_REVOKED");
  CHECK(far.cancelled.Becomes([](bool cancelled) { return cancelled; }));
  CHECK(scene.near->audit.all.Get().size() == 1);
}

TEST_CASE("A relayed stream of answers ends as UNAVAILABLE with the other replica or the server") {
  Scene<Message> scene;
  scene.FarCall();
  const std::string way = GENERATE("gone", "drained", "closed", "aborted");
  const auto stopping = Error(absl::StatusCode::kUnavailable, "STOPPING", "stopping");
  if (way == "gone") scene.far->server.Shutdown();
  if (way == "drained") scene.near->forwarder.Drain();
  if (way == "closed") scene.near->service.relayed.Get().lock()->Close(stopping);
  if (way == "aborted") scene.near->service.relayed.Get().lock()->Abort(stopping);
  CHECK(absl::IsUnavailable(scene.End()));
  CHECK(scene.Ended());
  // Then nobody holds it any more.
  scene.near->server.Shutdown();
  scene.near->forwarder.Stop();
  CHECK(scene.near->service.relayed.Get().expired());
}

TEST_CASE("A client that does not read its answers holds no stream whose other replica is lost") {
  Scene<Message> scene;
  REQUIRE(scene.FarCall().Say(1, 400'000));
  scene.client->WaitForInitialMetadata();  // It is on its way, and has no room.
  scene.near->forwarder.Stop();            // Which returns when the relay has ended.
  scene.clock.Advance(absl::Seconds(1));
  scene.near->gate.LookAfterStreams();
  CHECK(scene.Ended());
}

TEST_CASE("A stream of answers that cannot be relayed ends at once") {
  Scene<Message> first;
  first.near->forwarder.Stop();
  CHECK(ReasonOf(first.End()) == "STOPPING");
  grpc::ClientContext context;
  first.Show(context, "good");
  const auto client =
      outputspb::OutputsService::NewStub(first.near->server.Connect())->Stream(&context, Request());
  CHECK(ReasonOf(FromGrpc(client->Finish())) == "STOPPING");
}

}  // namespace
}  // namespace kantoku::platform
