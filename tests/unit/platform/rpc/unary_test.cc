#include "services/platform/rpc/unary.h"

#include <prometheus/text_serializer.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any unary method would do.

using Handler = std::function<void(const Caller&, const outputspb::GetRequest&,
                                   outputspb::GetResponse&, Reply)>;

class HandlingService final : public Service {
 public:
  HandlingService(CallMonitor& calls, Handler handler)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Get")),
        handler_(std::move(handler)) {
    Handle("Get", &HandlingService::Get);
  }

  void Get(UnaryCall* call, const outputspb::GetRequest* request,
           outputspb::GetResponse* response) {
    HandleUnary(call, method_, [&](const Caller& caller, Reply reply) {
      handler_(caller, *request, *response, std::move(reply));
    });
  }

 private:
  CallMonitor::Method& method_;
  const Handler handler_;
};

struct Fixture {
  explicit Fixture(Handler handler) : service(calls, std::move(handler)), server(service) {}

  grpc::Status Call(outputspb::GetResponse* response = nullptr) {
    grpc::ClientContext context;
    outputspb::GetResponse ignored;
    return outputspb::OutputsService::NewStub(server.Connect())
        ->Get(&context, {}, response != nullptr ? response : &ignored);
  }
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry.Collect()); }

  prometheus::Registry registry;
  CallMonitor calls{registry, Clock::Real()};
  HandlingService service;
  TestServer server;
};

TEST_CASE("A handler may reply at once") {
  Fixture f([](const Caller& caller, auto&, auto& response, Reply reply) {
    KANTOKU_CHECK(caller == (Caller{"local", "local"}));
    response.add_results();
    reply(absl::OkStatus());
  });
  outputspb::GetResponse response;
  CHECK(f.Call(&response).ok());
  CHECK(response.results_size() == 1);
}

TEST_CASE("A handler may reply later from another thread") {
  std::thread later;
  Fixture f([&](const Caller&, auto&, auto& response, Reply reply) {
    later = std::thread([&response, reply = std::move(reply)]() mutable {
      response.add_results();
      reply(absl::OkStatus());
    });
  });
  outputspb::GetResponse response;
  CHECK(f.Call(&response).ok());
  CHECK(response.results_size() == 1);
  later.join();
}

TEST_CASE("Nothing of a call is in those after it, whose messages may be the same ones") {
  std::atomic<int> asked = 0;  // Ids of all requests.
  Fixture f([&](const Caller&, const auto& request, auto& response, Reply reply) {
    asked += request.task_ids_size();
    if (request.task_ids().empty()) return reply(absl::OkStatus());
    auto& result = *response.add_results();
    result.mutable_result()->set_task_id(request.task_ids(0));
    result.mutable_result()->set_data("secret");
    reply(request.task_ids_size() == 1 ? absl::OkStatus() : absl::NotFoundError("x"));
  });
  const auto stub = outputspb::OutputsService::NewStub(f.server.Connect());
  const auto call = [&](int ids) {
    grpc::ClientContext context;
    outputspb::GetRequest request;
    for (int i = 0; i < ids; ++i) request.add_task_ids(std::string(16, 'i'));
    outputspb::GetResponse response;
    CHECK(stub->Get(&context, request, &response).ok() == (ids < 2));
    return response.results_size();
  };
  for (int round = 0; round < 20; ++round) {
    for (const int ids : {1, 0, 2, 0}) CHECK(call(ids) == (ids == 1 ? 1 : 0));
  }
  CHECK(asked == 20 * 3);
}

TEST_CASE("A failed call carries code, message and reason") {
  Fixture f([](const Caller&, auto&, auto&, Reply reply) {
    reply(Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", "disk is full"));
  });
  const absl::Status status = FromGrpc(f.Call());
  CHECK(status.code() == absl::StatusCode::kResourceExhausted);
  CHECK(status.message() == "disk is full");
  CHECK(ReasonOf(status) == "DISK_FULL");
}

TEST_CASE("A call whose store is another owner's now is to be repeated") {
  Fixture fixture([](const auto&, const auto&, auto&, Reply reply) {
    reply(Error(absl::StatusCode::kAborted, "STORE_FENCED", "another owner has taken over"));
  });
  const absl::Status status = FromGrpc(fixture.Call());
  CHECK(absl::IsUnavailable(status));
  CHECK(ReasonOf(status) == "NOT_OWNER");
}

TEST_CASE("A reply that is dropped ends the call as a fault of ours") {
  Fixture f([](const Caller&, auto&, auto&, Reply) {});
  const absl::Status status = FromGrpc(f.Call());
  CHECK(status.code() == absl::StatusCode::kInternal);
  CHECK(ReasonOf(status) == "NO_REPLY");
}

TEST_CASE("Calls are counted by method and code, and timed") {
  int calls = 0;
  Fixture f([&](const Caller&, auto&, auto&, Reply reply) {
    reply(++calls == 1 ? absl::OkStatus() : absl::NotFoundError("x"));
  });
  f.Call();
  f.Call();
  const std::string metrics = f.Metrics();
  CHECK_THAT(metrics, Catch::Contains(
                          R"(kantoku_rpc_calls_total{code="OK",method="OutputsService/Get"} 1)"));
  CHECK_THAT(metrics,
             Catch::Contains(
                 R"(kantoku_rpc_calls_total{code="NOT_FOUND",method="OutputsService/Get"} 1)"));
  CHECK_THAT(metrics,
             Catch::Contains(R"(kantoku_rpc_seconds_count{method="OutputsService/Get"} 2)"));
}

}  // namespace
}  // namespace kantoku::platform
