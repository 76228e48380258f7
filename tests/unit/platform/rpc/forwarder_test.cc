#include "services/platform/rpc/forwarder.h"

#include <grpcpp/test/server_context_test_spouse.h>

#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/rpc/unary.h"
#include "tests/unit/platform/rpc/forwarding_scene.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Any unary method would do.
using Request = outputspb::GetRequest;
using Response = outputspb::GetResponse;
using Metadata = std::multimap<std::string, std::string>;

constexpr char kGet[] = "/kantoku.outputs.v1.OutputsService/Get";

// Answers Get, or has it answered elsewhere.
class GetNode final : public Service {
 public:
  GetNode(CallMonitor& calls, Forwarder& forwarder)
      : Service(outputspb::OutputsService::service_full_name()),
        method_(calls.MethodOf("OutputsService/Get")),
        forwarder_(forwarder) {
    Handle("Get", &GetNode::Get);
  }

  std::string owner;  // Who has what is asked for; empty: we.
  std::function<void(const Request&, Response&, Reply)> on_get;

  // Of the last call that was answered here.
  Awaited<Metadata> metadata;
  Awaited<std::chrono::system_clock::time_point> deadline;
  // What the last call that was answered elsewhere came to.
  Awaited<std::optional<absl::Status>> forwarded;

 private:
  void Get(UnaryCall* call, const Request* request, Response* response) {
    HandleUnary(call, method_, [&](const Identity&, Reply reply) {
      if (owner.empty()) return Answer(*call, *request, *response, std::move(reply));
      if (IsForwarded(*call)) return reply(NotHere("task 7"));
      forwarder_.Forward(*call, kGet, {.address = owner}, *request, response,
                         [this, reply = std::move(reply)](const absl::Status& status) mutable {
                           forwarded.Set(status);
                           reply(status);
                         });
    });
  }
  void Answer(const Call& call, const Request& request, Response& response, Reply reply) {
    Metadata seen;
    for (const auto& [key, value] : call.client_metadata()) {
      seen.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
    }
    metadata.Set(std::move(seen));
    deadline.Set(call.deadline());
    on_get(request, response, std::move(reply));
  }

  CallMonitor::Method& method_;
  Forwarder& forwarder_;
};

struct Scene : ForwardingScene<GetNode> {
  Scene() {
    far->service.on_get = [](const Request& request, Response& response, Reply reply) {
      for (const auto& id : request.task_ids()) {
        response.add_results()->mutable_result()->set_task_id(id);
      }
      reply(absl::OkStatus());
    };
  }
  ~Scene() { Release(absl::OkStatus()); }

  absl::Status Get(
      const std::function<void(grpc::ClientContext&)>& change = [](auto&) {},
      const std::string& token = "good") {
    grpc::ClientContext context;
    Limit(context);
    Show(context, token);
    change(context);
    return Get(context);
  }
  absl::Status Get(grpc::ClientContext& context) {
    const auto stub = outputspb::OutputsService::NewStub(near->server.Connect());
    return FromGrpc(stub->Get(&context, request, &response));
  }

  // The far one keeps calls, until Release.
  void Hold() {
    far->service.on_get = [this](const Request&, Response&, Reply reply) {
      held.Update([&](auto& replies) { replies.push_back(std::move(reply)); });
    };
  }
  bool Holds() {
    return held.Becomes([](const auto& replies) { return !replies.empty(); });
  }
  void Release(const absl::Status& status) {
    held.Update([&](auto& replies) {
      for (auto& reply : replies) reply(status);
      replies.clear();
    });
  }

  Request request;
  Response response;
  Awaited<std::vector<Reply>> held;
};

// A call of a scene, made on a thread of its own.
class Asked {
 public:
  explicit Asked(Scene& scene) {
    Scene::Limit(context_);
    Scene::Show(context_, "good");
    thread_ = std::thread([this, &scene] { status_ = scene.Get(context_); });
  }
  ~Asked() { static_cast<void>(Join()); }

  void Cancel() { context_.TryCancel(); }
  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    return status_;
  }

 private:
  grpc::ClientContext context_;
  absl::Status status_;
  std::thread thread_;
};

TEST_CASE("A call is answered by the replica that it is forwarded to") {
  Scene scene;
  for (int i = 0; i < 3; ++i) scene.request.add_task_ids(std::string(i, 'x'));
  CHECK(scene.Get().ok());
  REQUIRE(scene.response.results_size() == 3);
  CHECK(scene.response.results(2).result().task_id() == "xx");
}

TEST_CASE("What the other replica refuses is passed on with its reason, and told once") {
  Scene scene;
  const auto refusal =
      Error(absl::StatusCode::kPermissionDenied, "NAMESPACE_FORBIDDEN", "not for that namespace");
  scene.far->service.on_get = [&](auto&, auto&, Reply reply) { reply(refusal); };
  const absl::Status status = scene.Get();
  CHECK(status.code() == refusal.code());
  CHECK(status.message() == refusal.message());
  CHECK(ReasonOf(status) == "NAMESPACE_FORBIDDEN");
  CHECK(scene.near->audit.all.Get().empty());
  const auto told = scene.far->audit.all.Get();
  REQUIRE(told.size() == 1);
  CHECK(told[0].details.at("reason") == "NAMESPACE_FORBIDDEN");
  CHECK(told[0].details.at("user") == "anna");
}

TEST_CASE("What is refused before it would be forwarded is told here") {
  Scene scene;
  CHECK(ReasonOf(scene.Get([](auto&) {}, "guessed")) == "INVALID_TOKEN");
  CHECK(scene.near->audit.all.Get().size() == 1);
  CHECK(scene.far->audit.all.Get().empty());
}

TEST_CASE("A forwarded call shows what its caller shows to be known by, a mark, and nothing else") {
  Scene scene;
  const std::string identity =
      SealServiceIdentity(*scene.keys, "inputs", scene.clock.Read().wall + absl::Minutes(1));
  REQUIRE(scene
              .Get([&](grpc::ClientContext& context) {
                context.AddMetadata(kServiceMetadataKey, identity);
                context.AddMetadata("x-trace", "of somebody");
              })
              .ok());
  Metadata seen = scene.far->service.metadata.Get();
  seen.erase("user-agent");  // Of every client.
  const auto mark = seen.extract(kForwardedMetadataKey);
  REQUIRE_FALSE(mark.empty());
  CHECK(OpenForwarded(*scene.keys, mark.mapped(), scene.clock.Read().wall).ok());
  CHECK(seen == Metadata{{"authorization", "Bearer good"}, {kServiceMetadataKey, identity}});
}

TEST_CASE("A call that is marked by somebody else is forwarded as any other") {
  Scene scene;
  const auto others = MacKeys::Make({{1, std::string(32, 'o')}}).value();
  const auto until = scene.clock.Read().wall + absl::Minutes(1);
  for (const std::string& mark : {std::string("1"), SealForwarded(*others, 0, until)}) {
    CHECK(scene
              .Get([&](grpc::ClientContext& context) {
                context.AddMetadata(kForwardedMetadataKey, mark);
              })
              .ok());
  }
}

TEST_CASE("Bytes that stand for a token and cannot be sent are left out") {
  Scene scene;
  grpc::ServerContext call;
  grpc::testing::ServerContextTestSpouse spouse(&call);
  spouse.AddClientMetadata("authorization", "Bearer \x01\n");
  Awaited<std::optional<absl::Status>> status;
  scene.near->forwarder.Forward(call, kGet, {.address = scene.far->server.address()}, scene.request,
                                &scene.response,
                                [&](const absl::Status& ended) { status.Set(ended); });
  REQUIRE(status.Becomes([](const auto& ended) { return ended.has_value(); }));
  CHECK(ReasonOf(*status.Get()) == "NO_TOKEN");
}

TEST_CASE("A forwarded call has its caller's deadline") {
  Scene scene;
  const auto deadline = std::chrono::system_clock::now() + std::chrono::hours(10);
  REQUIRE(scene.Get([&](auto& context) { context.set_deadline(deadline); }).ok());
  const auto seen = scene.far->service.deadline.Get();
  CHECK(seen > deadline - std::chrono::hours(1));
  CHECK(seen < deadline + std::chrono::hours(1));
}

TEST_CASE("A call without a deadline is forwarded without one") {
  Scene scene;
  const auto never = std::chrono::system_clock::time_point::max();
  REQUIRE(scene.Get([&](auto& context) { context.set_deadline(never); }).ok());
  CHECK(scene.far->service.deadline.Get() == never);
}

TEST_CASE("A call that was forwarded is not forwarded again") {
  Scene scene;
  scene.far->service.owner = scene.near->server.address();
  const absl::Status status = scene.Get();
  CHECK(absl::IsUnavailable(status));
  CHECK(ReasonOf(status) == "NOT_OWNER");
}

TEST_CASE("When its caller leaves, a forwarded call is cancelled") {
  Scene scene;
  scene.Hold();
  Asked asked(scene);
  REQUIRE(scene.Holds());
  asked.Cancel();
  auto& forwarded = scene.near->service.forwarded;
  REQUIRE(forwarded.Becomes([](const auto& status) { return status.has_value(); }));
  CHECK(absl::IsCancelled(*forwarded.Get()));
}

TEST_CASE("Where nobody listens a forwarded call is UNAVAILABLE") {
  Scene scene;
  scene.far->server.Shutdown();
  CHECK(absl::IsUnavailable(scene.Get()));
}

TEST_CASE("Where no connection can be made a forwarded call ends with why") {
  Scene scene;
  Forwarder forwarder(
      [](const std::string& address) -> absl::StatusOr<std::shared_ptr<grpc::Channel>> {
        return Error(absl::StatusCode::kFailedPrecondition, "NO_TLS", address);
      },
      *scene.keys, scene.clock);
  grpc::ServerContext call;
  absl::Status status;
  forwarder.Forward(call, kGet, {.address = "elsewhere:1"}, scene.request, &scene.response,
                    [&](const absl::Status& ended) { status = ended; });
  CHECK(ReasonOf(status) == "NO_TLS");
}

TEST_CASE("Stop ends the calls that are under way, and those that come later, as UNAVAILABLE") {
  Scene scene;
  scene.Hold();
  Asked asked(scene);
  REQUIRE(scene.Holds());
  scene.near->forwarder.Stop();
  for (const absl::Status& status : {asked.Join(), scene.Get()}) {
    CHECK(absl::IsUnavailable(status));
    CHECK(ReasonOf(status) == "STOPPING");
  }
}

TEST_CASE("What is under way at a replica that is gone ends at once, and nothing else does") {
  Scene scene;
  scene.Hold();
  Asked asked(scene);
  REQUIRE(scene.Holds());
  scene.near->forwarder.GiveUp("127.0.0.1:1");
  CHECK_FALSE(scene.near->service.forwarded.Get().has_value());
  scene.near->forwarder.GiveUp(scene.far->server.address());
  const absl::Status status = asked.Join();
  CHECK(absl::IsUnavailable(status));
  CHECK(ReasonOf(status) == "OWNER_LEFT");
}

TEST_CASE("A replica that was given up is called no more until it is one of the others again") {
  Scene scene;
  const std::string far = scene.far->server.address();
  scene.near->forwarder.GiveUp(far);
  CHECK(ReasonOf(scene.Get()) == "OWNER_LEFT");
  scene.near->forwarder.SetOthers({{.id = "far", .address = far}});
  CHECK(scene.Get().ok());
}

TEST_CASE("A replica that is given up while a call looks for the way is not called") {
  Scene scene;
  const std::string far = scene.far->server.address();
  absl::Status status;
  Forwarder forwarder(
      [&](const std::string& address) {
        forwarder.GiveUp(address);
        return Node<GetNode>::Connect(address);
      },
      *scene.keys, scene.clock);
  grpc::ServerContext call;
  forwarder.Forward(call, kGet, {.address = far}, scene.request, &scene.response,
                    [&](const absl::Status& ended) { status = ended; });
  CHECK(ReasonOf(status) == "OWNER_LEFT");
}

TEST_CASE("While relays are drained calls with one answer go on") {
  Scene scene;
  scene.Hold();
  Asked asked(scene);
  REQUIRE(scene.Holds());
  scene.near->forwarder.Drain();
  scene.Release(absl::OkStatus());
  CHECK(asked.Join().ok());
}

}  // namespace
}  // namespace kantoku::platform
