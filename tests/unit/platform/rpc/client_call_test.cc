#include "services/platform/rpc/client_call.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/status.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace pb = ::kantoku::outputs::v1;  // Stands for any service.

// Answers Get with as many results as ids, or not at all; in Await echoes, until it is told to end.
class Echo final : public Service, private StreamCall::Handler {
 public:
  Echo() : Service(pb::OutputsService::service_full_name()) {
    Handle("Get", &Echo::Get);
    Handle("Await", &Echo::Await);
  }

  Awaited<UnaryCall*> waiting;  // A Get of nothing.
  void EndStream() { stream_.Get()->Finish(Error(absl::StatusCode::kAborted, "ENOUGH", "enough")); }

 private:
  void Get(UnaryCall* call, const pb::GetRequest* request, pb::GetResponse* response) {
    if (request->task_ids_size() == 0) return waiting.Set(call);
    for (int i = 0; i < request->task_ids_size(); ++i) response->add_results();
    call->Finish(request->task_ids(0) == "bad"
                     ? Error(absl::StatusCode::kInvalidArgument, "BAD", "bad")
                     : absl::OkStatus());
  }
  void Await(BidiCall<pb::AwaitRequest, pb::AwaitResponse>* call) {
    stream_.Set(call);
    call->Accept(*this);
    call->StartRead(&request_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    response_.Clear();
    for (const std::string& id : request_.task_ids()) response_.add_results()->set_task_id(id);
    stream_.Get()->StartWrite(&response_);
  }
  void OnWriteDone(bool ok) override {
    if (ok) stream_.Get()->StartRead(&request_);
  }
  void OnCancel() override {}
  void OnRefused(const absl::Status&) override {}
  void OnDone() override {}

  Awaited<BidiCall<pb::AwaitRequest, pb::AwaitResponse>*> stream_;
  pb::AwaitRequest request_;
  pb::AwaitResponse response_;
};

struct Fixture {
  Fixture() { queue.Start(); }

  Echo echo;
  TestServer server{echo};
  CallQueue queue;
  std::unique_ptr<pb::OutputsService::Stub> stub = pb::OutputsService::NewStub(server.Connect());
};

struct UnaryAnswer {
  grpc::ClientContext context;
  pb::GetResponse response;
  Awaited<std::optional<absl::Status>> status;

  void Get(Fixture& fixture, const pb::GetRequest& request) {
    ReceiveAnswer(fixture.queue, fixture.stub->AsyncGet(&context, request, fixture.queue.get()),
                  &response, [this](const absl::Status& answer) { status.Set(answer); });
  }
  absl::Status Take() {
    REQUIRE(status.Becomes([](const auto& value) { return value.has_value(); }));
    return *status.Get();
  }
};

TEST_CASE("An answer is received, or how the call failed") {
  Fixture fixture;
  pb::GetRequest request;
  request.add_task_ids("a");
  request.add_task_ids("b");
  UnaryAnswer good;
  good.Get(fixture, request);
  CHECK(good.Take().ok());
  CHECK(good.response.results_size() == 2);
  request.set_task_ids(0, "bad");
  UnaryAnswer bad;
  bad.Get(fixture, request);
  CHECK(ReasonOf(bad.Take()) == "BAD");
}

TEST_CASE("A call that waits can be cancelled, and the queue waits for its end") {
  Fixture fixture;
  UnaryAnswer answer;
  answer.Get(fixture, {});
  REQUIRE(fixture.echo.waiting.Becomes([](UnaryCall* call) { return call != nullptr; }));
  answer.context.TryCancel();
  fixture.queue.Stop();
  CHECK(absl::IsCancelled(answer.Take()));
  fixture.echo.waiting.Get()->Finish(absl::OkStatus());
}

// Writes down what it hears.
class Listener final : public ClientStream::Handler {
 public:
  explicit Listener(Fixture& fixture) : stream(fixture.queue, *this) {
    stream.Open([&](auto* context, auto* queue) {
      return fixture.stub->PrepareAsyncAwait(context, queue);
    });
    stream.StartRead(&response_);
  }

  void Write(const std::string& id) {
    request_.clear_task_ids();
    request_.add_task_ids(id);
    stream.StartWrite(request_);
  }
  bool Hears(const std::string& line) {
    return heard.Becomes([&](const auto& lines) {
      return std::find(lines.begin(), lines.end(), line) != lines.end();
    });
  }

  ClientBidiStream<pb::AwaitRequest, pb::AwaitResponse> stream;
  Awaited<std::deque<std::string>> heard;

 private:
  void OnReadDone(bool ok) override {
    Hear(ok ? "read " + response_.results(0).task_id() : "broken");
    if (ok) stream.StartRead(&response_);
  }
  void OnWriteDone(bool ok) override { Hear(ok ? "written" : "not written"); }
  void OnDone(const absl::Status& status) override { Hear("done " + ReasonOf(status)); }
  void Hear(const std::string& line) {
    heard.Update([&](auto& lines) { lines.push_back(line); });
  }

  pb::AwaitRequest request_;
  pb::AwaitResponse response_;
};

TEST_CASE("A stream reads and writes, and ends with the server's status") {
  Fixture fixture;
  Listener listener(fixture);
  listener.stream.Claim();
  listener.Write("a");
  REQUIRE(listener.Hears("written"));
  REQUIRE(listener.Hears("read a"));
  fixture.echo.EndStream();
  REQUIRE(listener.Hears("done ENOUGH"));
  CHECK(listener.heard.Get().back() == "done ENOUGH");
}

TEST_CASE("A stream does not end before a write that was claimed") {
  Fixture fixture;
  Listener listener(fixture);
  listener.stream.Claim();
  listener.Write("a");
  REQUIRE(listener.Hears("read a"));
  listener.stream.Claim();
  fixture.echo.EndStream();
  REQUIRE(listener.Hears("broken"));
  // All that the queue had to say has been said when a later call is answered there.
  UnaryAnswer later;
  pb::GetRequest request;
  request.add_task_ids("later");
  later.Get(fixture, request);
  REQUIRE(later.Take().ok());
  CHECK(listener.heard.Get().back() == "broken");
  listener.Write("b");
  REQUIRE(listener.Hears("done ENOUGH"));
  CHECK(listener.heard.Get().back() == "done ENOUGH");
  CHECK(listener.Hears("not written"));
}

TEST_CASE("A stream can be cancelled") {
  Fixture fixture;
  Listener listener(fixture);
  listener.stream.Claim();
  listener.Write("a");
  REQUIRE(listener.Hears("read a"));
  listener.stream.Cancel();
  REQUIRE(listener.Hears("done "));
  fixture.echo.EndStream();
}

}  // namespace
}  // namespace kantoku::platform
