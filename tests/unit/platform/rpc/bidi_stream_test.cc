#include "services/platform/rpc/bidi_stream.h"

#include <prometheus/text_serializer.h>

#include <atomic>
#include <functional>
#include <thread>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/status.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any bidirectional method would do.
using Request = outputspb::AwaitRequest;
using Response = outputspb::AwaitResponse;

class Stream;

// What a test does on the server, and what it saw there.
struct Script {
  std::function<void(Stream&)> on_start = [](Stream&) {};
  std::function<void(Stream&, Request&)> on_request = [](Stream&, Request&) {};
  std::function<void(Stream&)> on_half_closed;  // Default: as the base does.
  std::function<void(Stream&)> on_writable = [](Stream&) {};
  BidiStreamOptions options;
  absl::Status refusal;  // Instead of all that.

  Awaited<size_t> written_bytes;
  Awaited<std::vector<std::shared_ptr<Stream>>> streams;
  Awaited<std::vector<absl::Status>> ends;
  std::atomic<int> alive = 0;
};

class Stream final : public CoalescingStream<Request, Response> {
 public:
  Stream(Stream::Call* call, CallMonitor::Method& method, Script& script)
      : CoalescingStream(call, method, script.options), script_(script) {
    ++script_.alive;
  }
  ~Stream() override { --script_.alive; }

  absl::Status Say(const std::string& id) {
    return Post(id.size(), [&](Response& response) { response.add_results()->set_task_id(id); });
  }
  std::shared_ptr<Stream> self() { return std::static_pointer_cast<Stream>(shared_from_this()); }

 private:
  void OnRequest(Request& request) override { script_.on_request(*this, request); }
  void OnHalfClosed() override {
    if (script_.on_half_closed) return script_.on_half_closed(*this);
    CoalescingStream::OnHalfClosed();
  }
  void OnWritable() override { script_.on_writable(*this); }
  void OnWritten(size_t bytes) override {
    script_.written_bytes.Update([&](size_t& sum) { sum += bytes; });
  }
  void OnEnded(const absl::Status& status) override {
    script_.ends.Update([&](auto& ends) { ends.push_back(status); });
  }

  Script& script_;
};

class ScriptedService final : public Service {
 public:
  ScriptedService(CallMonitor& calls, Script& script)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Await")),
        script_(script) {
    Handle("Await", &ScriptedService::Await);
  }

  void Await(BidiCall<Request, Encoded<Response>>* call) {
    if (!script_.refusal.ok()) return call->Refuse(method_, script_.refusal);
    auto stream = std::make_shared<Stream>(call, method_, script_);
    script_.streams.Update([&](auto& streams) { streams.push_back(stream); });
    script_.on_start(*stream);
    stream->Start();
  }

 private:
  CallMonitor::Method& method_;
  Script& script_;
};

struct Fixture {
  Fixture() : service(calls, script), server(service) {
    stub = outputspb::OutputsService::NewStub(server.Connect());
  }
  std::shared_ptr<Stream> OnlyStream() {
    REQUIRE(script.streams.Becomes([](auto& streams) { return streams.size() == 1; }));
    return script.streams.Get()[0];
  }
  absl::Status End() {
    REQUIRE(script.ends.Becomes([](auto& ends) { return !ends.empty(); }));
    return script.ends.Get()[0];
  }

  Script script;
  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  ScriptedService service;
  TestServer server;
  std::unique_ptr<outputspb::OutputsService::Stub> stub;
};

Request Ask(const std::string& id) {
  Request request;
  request.add_task_ids(id);
  return request;
}

// Everything that comes until the stream ends.
template <typename ClientStream>
std::vector<std::string> ReadAll(ClientStream& stream) {
  std::vector<std::string> ids;
  Response response;
  while (stream.Read(&response)) {
    for (const auto& result : response.results()) ids.push_back(result.task_id());
  }
  return ids;
}

std::string Id(int i) { return "id-" + std::to_string(i); }

std::vector<std::string> Ids(int count) {
  std::vector<std::string> ids;
  ids.reserve(count);
  for (int i = 0; i < count; ++i) ids.push_back(Id(i));
  return ids;
}

TEST_CASE("Requests are answered and the client's end ends the stream") {
  Fixture f;
  f.script.on_request = [](Stream& stream, Request& request) {
    for (const auto& id : request.task_ids()) KANTOKU_CHECK(stream.Say(id).ok());
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  for (const auto& id : Ids(1000)) REQUIRE(client->Write(Ask(id)));
  client->WritesDone();
  CHECK(ReadAll(*client) == Ids(1000));
  CHECK(client->Finish().ok());
  CHECK(f.End().ok());
}

TEST_CASE("What is posted before the start or at once is gathered and arrives in order") {
  Fixture f;
  f.script.on_start = [](Stream& stream) {
    for (const auto& id : Ids(10'000)) KANTOKU_CHECK(stream.Say(id).ok());
    stream.Close(absl::OkStatus());
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  Response first;
  REQUIRE(client->Read(&first));
  CHECK(first.results_size() == 10'000);
  CHECK(ReadAll(*client).empty());
  CHECK(client->Finish().ok());
}

TEST_CASE("Messages are cut at the size that was asked for") {
  Fixture f;
  f.script.options.max_message_bytes = 100;
  f.script.on_start = [](Stream& stream) {
    for (int i = 0; i < 10; ++i) KANTOKU_CHECK(stream.Say(std::string(40, 'x')).ok());
    KANTOKU_CHECK(stream.Say(std::string(500, 'y')).ok());
    stream.Close(absl::OkStatus());
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  std::vector<int> sizes;
  Response response;
  while (client->Read(&response)) sizes.push_back(response.results_size());
  CHECK(sizes == std::vector<int>{2, 2, 2, 2, 2, 1});
  CHECK(client->Finish().ok());
}

TEST_CASE("Threads may post at once while the client reads") {
  constexpr int kThreads = 4;
  constexpr int kEach = 5'000;
  Fixture f;
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  const auto stream = f.OnlyStream();
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&stream, t] {
      for (int i = 0; i < kEach; ++i) {
        if (!stream->Say(std::to_string(t) + Id(i)).ok()) return;
      }
    });
  }
  std::thread closer([&] {
    for (auto& thread : threads) thread.join();
    stream->Close(absl::OkStatus());
  });
  std::vector<int> next(kThreads, 0);
  bool in_order = true;
  for (const auto& id : ReadAll(*client)) {
    const int t = id[0] - '0';
    in_order = in_order && id.substr(1) == Id(next[t]++);
  }
  CHECK(in_order);
  CHECK(next == std::vector<int>(kThreads, kEach));
  CHECK(client->Finish().ok());
  closer.join();
}

TEST_CASE("A status given to Close reaches the client after what was posted") {
  Fixture f;
  f.script.on_request = [](Stream& stream, Request&) {
    KANTOKU_CHECK(stream.Say("last").ok());
    stream.Close(Error(absl::StatusCode::kAborted, "NEWER_CONNECTION", "a newer one won"));
    stream.Close(absl::OkStatus());
    KANTOKU_CHECK(ReasonOf(stream.Say("too late")) == "STREAM_CLOSED");
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  REQUIRE(client->Write(Ask("x")));
  CHECK(ReadAll(*client) == std::vector<std::string>{"last"});
  const absl::Status status = FromGrpc(client->Finish());
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(status) == "NEWER_CONNECTION");
  CHECK(f.End() == status);
}

TEST_CASE("A server that closes does not wait for the client's end") {
  Fixture f;
  f.script.on_start = [](Stream& stream) { stream.Close(absl::OkStatus()); };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  CHECK(ReadAll(*client).empty());
  CHECK(client->Finish().ok());
  CHECK(f.End().ok());
}

TEST_CASE("A client that cancels ends the stream, and later posts are refused") {
  Fixture f;
  f.script.on_half_closed = [](Stream&) {};
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  const auto stream = f.OnlyStream();
  context.TryCancel();
  CHECK(f.End().code() == absl::StatusCode::kCancelled);
  CHECK(ReasonOf(stream->Say("x")) == "STREAM_CLOSED");
  stream->Close(absl::OkStatus());
  stream->Abort(absl::OkStatus());
  stream->ResumeReading();
  CHECK(client->Finish().error_code() == grpc::StatusCode::CANCELLED);
}

TEST_CASE("A client that cancels in the middle of posts leaves nothing behind") {
  for (int round = 0; round < 20; ++round) {
    Fixture f;
    f.script.on_half_closed = [](Stream&) {};
    grpc::ClientContext context;
    const auto client = f.stub->Await(&context);
    auto stream = f.OnlyStream();
    std::thread poster([&] {
      while (stream->Say(std::string(100, 'x')).code() != absl::StatusCode::kUnavailable) {
      }
    });
    Response response;
    for (int i = 0; i < round; ++i) client->Read(&response);
    context.TryCancel();
    poster.join();
    CHECK(f.End().code() == absl::StatusCode::kCancelled);
    client->Finish();
    CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
    f.script.streams.Set({});
    stream.reset();
  }
}

TEST_CASE("A stream lives until it has ended and not longer") {
  Fixture f;
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  std::weak_ptr<Stream> stream = f.OnlyStream();
  f.script.streams.Set({});
  REQUIRE_FALSE(stream.expired());
  stream.lock()->Close(absl::OkStatus());
  CHECK(client->Finish().ok());
  CHECK(f.End().ok());
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
  while (!stream.expired()) std::this_thread::yield();
  CHECK(f.script.alive == 0);
}

// A client that does not read: its windows fill up, and a write stays on its way.
struct Unread : Fixture {
  // Something may still leave after the refusal, and the stream be writable again.
  explicit Unread(std::function<void(Stream&)> on_writable = [](Stream&) {}) {
    script.on_writable = std::move(on_writable);
    script.options.max_pending_bytes = size_t{1} << 20;
    client = stub->Await(&context);
    stream = OnlyStream();
    while ((refusal = stream->Say(std::string(10'000, 'x'))).ok()) ++posted;
  }
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> client;
  std::shared_ptr<Stream> stream;
  size_t posted = 0;
  absl::Status refusal;
};

TEST_CASE("What waits is bounded, and the stream says when there is room again") {
  Awaited<bool> writable;
  Unread f([&](Stream& stream) {
    if (!stream.Say("more").ok()) return;
    writable.Set(true);
    stream.Close(absl::OkStatus());
  });
  CHECK(f.posted < 10'000);
  CHECK(ReasonOf(f.refusal) == "STREAM_FULL");
  const auto ids = ReadAll(*f.client);
  CHECK(writable.Get());
  CHECK(ids.size() == f.posted + 1);
  CHECK(ids.back() == "more");
  CHECK(f.client->Finish().ok());
}

TEST_CASE("Streams share a budget, and each still gets one thing after the other out") {
  ByteBudget budget(1);
  Fixture f;
  f.script.options.budget = &budget;
  const std::string large(2 << 20, 'x');
  // What a client does not read stays on the server, whatever the connection could carry.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub = outputspb::OutputsService::NewStub(f.server.Connect(arguments));
  const auto open = [&](grpc::ClientContext& context, size_t number) {
    auto client = stub->Await(&context);
    REQUIRE(f.script.streams.Becomes([&](auto& streams) { return streams.size() == number; }));
    return std::pair(std::move(client), f.script.streams.Get()[number - 1]);
  };
  grpc::ClientContext reading_context;
  grpc::ClientContext idle_context;
  const auto [idle, idle_stream] = open(idle_context, 1);
  const auto [reading, reading_stream] = open(reading_context, 2);
  for (const auto& stream : {idle_stream, reading_stream}) {
    CHECK(stream->Say(large).ok());
    CHECK(ReasonOf(stream->Say(large)) == "STREAM_FULL");
  }
  CHECK(budget.used() == 2 * large.size());

  // One who reads goes on, though another holds the budget.
  Awaited<bool> writable;
  f.script.on_writable = [&](Stream&) { writable.Set(true); };
  Response response;
  CHECK(reading->Read(&response));
  CHECK(writable.Becomes([](bool there) { return there; }));
  CHECK(reading_stream->Say("more").ok());
  CHECK(reading->Read(&response));
  CHECK(response.results(0).task_id() == "more");
  reading_stream->Close(absl::OkStatus());
  CHECK(reading->Finish().ok());

  idle_context.TryCancel();
  CHECK_FALSE(idle->Finish().ok());
  CHECK(f.script.ends.Becomes([](auto& ends) { return ends.size() == 2; }));
  CHECK(budget.used() == 0);
}

TEST_CASE("What has left is told, with the bytes that were posted") {
  Fixture f;
  f.script.options.max_message_bytes = 100;
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  const auto stream = f.OnlyStream();
  size_t bytes = 0;
  for (const auto& id : Ids(1000)) {
    REQUIRE(stream->Say(id).ok());
    bytes += id.size();
  }
  Response response;
  for (int read = 0; read < 1000; read += response.results_size()) REQUIRE(client->Read(&response));
  CHECK(f.script.written_bytes.Becomes([&](size_t sum) { return sum == bytes; }));
  stream->Close(absl::OkStatus());
  CHECK(client->Finish().ok());
}

TEST_CASE("A server that finishes while a write is on its way still delivers it") {
  Unread f;
  f.stream->Close(Error(absl::StatusCode::kUnavailable, "DRAINING", "draining"));
  CHECK(ReadAll(*f.client).size() == f.posted);
  CHECK(ReasonOf(FromGrpc(f.client->Finish())) == "DRAINING");
}

TEST_CASE("Abort ends a stream whose client does not read") {
  Unread f;
  if (GENERATE(false, true)) f.stream->Close(absl::OkStatus());
  f.stream->Abort(absl::UnavailableError("stopping"));
  REQUIRE(f.script.ends.Becomes([](auto& ends) { return !ends.empty(); }));
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
  f.context.TryCancel();
  f.client->Finish();
}

TEST_CASE("Abort tells a client that reads why") {
  Fixture f;
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  f.OnlyStream()->Abort(Error(absl::StatusCode::kUnavailable, "STOPPING", "stopping"));
  CHECK(ReadAll(*client).empty());
  CHECK(ReasonOf(FromGrpc(client->Finish())) == "STOPPING");
}

TEST_CASE("A client waits while reading is paused") {
  Fixture f;
  Awaited<int> requests;
  f.script.on_request = [&](Stream& stream, Request&) {
    stream.PauseReading();
    requests.Update([](int& count) { ++count; });
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  for (int i = 0; i < 3; ++i) REQUIRE(client->Write(Ask(Id(i))));
  const auto stream = f.OnlyStream();
  for (int i = 1; i <= 3; ++i) {
    CHECK(requests.Becomes([i](int count) { return count == i; }));
    stream->ResumeReading();
  }
  client->WritesDone();
  CHECK(client->Finish().ok());
}

TEST_CASE("A stream may go on talking after the client's end") {
  Fixture f;
  f.script.on_half_closed = [](Stream& stream) {
    std::thread([self = stream.self()] {
      KANTOKU_CHECK(self->Say("after").ok());
      self->Close(absl::OkStatus());
    }).detach();
  };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  client->WritesDone();
  CHECK(ReadAll(*client) == std::vector<std::string>{"after"});
  CHECK(client->Finish().ok());
}

TEST_CASE("Open streams are counted until they have ended") {
  Fixture f;
  CHECK(f.calls.AwaitNoStreams(absl::ZeroDuration()));
  f.script.on_request = [](Stream& stream, Request&) { KANTOKU_CHECK(stream.Say("here").ok()); };
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  REQUIRE(client->Write(Ask("there?")));
  Response response;
  REQUIRE(client->Read(&response));  // It is there before it is counted.
  const auto stream = f.OnlyStream();
  CHECK(f.calls.open_streams() == 1);
  CHECK_FALSE(f.calls.AwaitNoStreams(absl::ZeroDuration()));
  stream->Close(absl::OkStatus());
  CHECK(client->Finish().ok());
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
}

TEST_CASE("A stream that is refused says why, and is counted with its code") {
  Fixture f;
  f.script.refusal = Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS", "no more");
  grpc::ClientContext context;
  const absl::Status status = FromGrpc(f.stub->Await(&context)->Finish());
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(status) == "TOO_MANY_STREAMS");
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
  CHECK_THAT(
      prometheus::TextSerializer().Serialize(f.registry.Collect()),
      Catch::Contains(R"(calls_total{code="RESOURCE_EXHAUSTED",method="OutputsService/Await"} 1)"));
}

TEST_CASE("A server that shuts down ends its streams") {
  Fixture f;
  grpc::ClientContext context;
  const auto client = f.stub->Await(&context);
  f.OnlyStream();
  f.server.Shutdown();
  CHECK(f.script.ends.Get().size() == 1);
  CHECK_FALSE(client->Finish().ok());
}

}  // namespace
}  // namespace kantoku::platform
