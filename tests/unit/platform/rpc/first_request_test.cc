#include "services/platform/rpc/first_request.h"

#include <prometheus/text_serializer.h>

#include <optional>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/rpc/bidi_stream.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any bidirectional method would do.
using Request = outputspb::AwaitRequest;
using Response = outputspb::AwaitResponse;

// Answers each id with itself.
class EchoStream final : public CoalescingStream<Request, Response> {
 public:
  using CoalescingStream::CoalescingStream;

 private:
  void OnRequest(Request& request) override {
    for (const auto& id : request.task_ids()) {
      (void)Post(id.size(), [&](Response& response) { response.add_results()->set_task_id(id); });
    }
  }
};

// Reads the first request, then echoes, or refuses what begins with "no".
class WaitingService final : public Service {
 public:
  using First = FirstRequest<Request, Encoded<Response>>;

  explicit WaitingService(CallMonitor& calls)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Await")) {
    Handle("Await", &WaitingService::Await);
  }

  std::shared_ptr<First> OnlyOne() {
    REQUIRE(waiting_.Becomes([](const auto& first) { return first != nullptr; }));
    return waiting_.Get();
  }
  Awaited<int> got;

 private:
  void Await(EchoStream::Call* call) {
    waiting_.Set(ReadFirst(call, method_, [this](EchoStream::Call* read, Request request) {
      got.Update([](int& count) { ++count; });
      if (request.task_ids(0) == "no") {
        return read->Refuse(method_, Error(absl::StatusCode::kNotFound, "NO", "no"));
      }
      std::make_shared<EchoStream>(read, method_)->Start(std::move(request));
    }));
  }

  CallMonitor::Method& method_;
  Awaited<std::shared_ptr<First>> waiting_;
};

struct Fixture {
  Fixture() {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    client = outputspb::OutputsService::NewStub(server.Connect())->Await(&context);
  }
  void Ask(const std::string& id) {
    Request request;
    request.add_task_ids(id);
    REQUIRE(client->Write(request));
  }
  absl::Status End() { return FromGrpc(client->Finish()); }
  // How many ended with that code.
  bool Counted(const std::string& code, int count) {
    return prometheus::TextSerializer()
               .Serialize(registry.Collect())
               .find("calls_total{code=\"" + code + "\",method=\"OutputsService/Await\"} " +
                     std::to_string(count)) != std::string::npos;
  }

  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  WaitingService service{calls};
  TestServer server{service};
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> client;
};

TEST_CASE("A stream gets the request that was read before it began, and those after it") {
  Fixture f;
  for (const std::string id : {"a", "b", "c"}) f.Ask(id);
  f.client->WritesDone();
  std::vector<std::string> ids;
  Response response;
  while (f.client->Read(&response)) {
    for (const auto& result : response.results()) ids.push_back(result.task_id());
  }
  CHECK(ids == std::vector<std::string>{"a", "b", "c"});
  CHECK(f.End().ok());
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
  CHECK(f.Counted("OK", 1));
  CHECK(f.service.got.Get() == 1);
  f.service.OnlyOne()->Close(absl::UnavailableError("late"));
}

TEST_CASE("A call may be refused for what its first request says") {
  Fixture f;
  f.Ask("no");
  CHECK(ReasonOf(f.End()) == "NO");
  CHECK(f.Counted("NOT_FOUND", 1));
}

TEST_CASE("A stream whose first request was read before sees its client leave") {
  Fixture f;
  f.Ask("a");
  Response response;
  REQUIRE(f.client->Read(&response));
  f.context.TryCancel();
  CHECK(absl::IsCancelled(f.End()));
  CHECK(f.calls.AwaitNoStreams(absl::Seconds(30)));
}

TEST_CASE("A client that asks nothing ends its call without harm, or leaves") {
  Fixture f;
  const bool leaves = GENERATE(false, true);
  const std::weak_ptr<WaitingService::First> first = f.service.OnlyOne();
  if (leaves) f.context.TryCancel();
  if (!leaves) f.client->WritesDone();
  CHECK(f.End().code() == (leaves ? absl::StatusCode::kCancelled : absl::StatusCode::kOk));
  f.server.Shutdown();
  CHECK(f.service.got.Get() == 0);
  if (!leaves) CHECK(f.Counted("OK", 1));
  CHECK(f.calls.open_streams() == 0);
}

TEST_CASE("Who waits too long for a first request ends the call") {
  Fixture f;
  const auto first = f.service.OnlyOne();
  first->Close(Error(absl::StatusCode::kDeadlineExceeded, "SILENT", "nothing was said"));
  first->Close(absl::OkStatus());
  CHECK(ReasonOf(f.End()) == "SILENT");
  f.server.Shutdown();
  CHECK(first.use_count() == 2);  // The service has the other.
}

}  // namespace
}  // namespace kantoku::platform
