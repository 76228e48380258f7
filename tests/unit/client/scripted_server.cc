#include "tests/unit/client/scripted_server.h"

#include <catch2/catch.hpp>

#include "client/cpp/src/grpc_connection.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::testing {
namespace {

template <typename Request, typename Response>
grpc::Status Run(const ScriptedServer::Script<Request, Response>& script, const Request& request,
                 Response& response) {
  if (!script) return {grpc::StatusCode::UNIMPLEMENTED, "no script"};
  return script(request, response);
}

}  // namespace

class ScriptedServer::Inputs final : public inputs::v1::InputsService::Service {
 public:
  explicit Inputs(ScriptedServer& server) : server_(server) {}
  grpc::Status Spawn(grpc::ServerContext*, const inputs::v1::SpawnRequest* request,
                     inputs::v1::SpawnResponse* response) override {
    return Run(server_.on_spawn, *request, *response);
  }
  grpc::Status Control(grpc::ServerContext*, const inputs::v1::ControlRequest* request,
                       inputs::v1::ControlResponse* response) override {
    return Run(server_.on_control, *request, *response);
  }
  grpc::Status GetTasks(grpc::ServerContext*, const inputs::v1::GetTasksRequest* request,
                        inputs::v1::GetTasksResponse* response) override {
    return Run(server_.on_get_tasks, *request, *response);
  }
  grpc::Status ListTasks(grpc::ServerContext*, const inputs::v1::ListTasksRequest* request,
                         inputs::v1::ListTasksResponse* response) override {
    return Run(server_.on_list_tasks, *request, *response);
  }
  grpc::Status PatchInfo(grpc::ServerContext*, const inputs::v1::PatchInfoRequest* request,
                         inputs::v1::PatchInfoResponse* response) override {
    return Run(server_.on_patch_info, *request, *response);
  }
  grpc::Status RestartTasks(grpc::ServerContext*, const inputs::v1::RestartTasksRequest* request,
                            inputs::v1::RestartTasksResponse* response) override {
    return Run(server_.on_restart_tasks, *request, *response);
  }
  grpc::Status ListExecutors(grpc::ServerContext*, const inputs::v1::ListExecutorsRequest* request,
                             inputs::v1::ListExecutorsResponse* response) override {
    return Run(server_.on_list_executors, *request, *response);
  }
  grpc::Status ControlExecutors(grpc::ServerContext*,
                                const inputs::v1::ControlExecutorsRequest* request,
                                inputs::v1::ControlExecutorsResponse* response) override {
    return Run(server_.on_control_executors, *request, *response);
  }
  grpc::Status SetRoute(grpc::ServerContext*, const inputs::v1::SetRouteRequest* request,
                        inputs::v1::SetRouteResponse* response) override {
    return Run(server_.on_set_route, *request, *response);
  }
  grpc::Status ListRoutes(grpc::ServerContext*, const inputs::v1::ListRoutesRequest* request,
                          inputs::v1::ListRoutesResponse* response) override {
    return Run(server_.on_list_routes, *request, *response);
  }
  grpc::Status SetLimits(grpc::ServerContext*, const inputs::v1::SetLimitsRequest* request,
                         inputs::v1::SetLimitsResponse* response) override {
    return Run(server_.on_set_limits, *request, *response);
  }
  grpc::Status ListLimits(grpc::ServerContext*, const inputs::v1::ListLimitsRequest* request,
                          inputs::v1::ListLimitsResponse* response) override {
    return Run(server_.on_list_limits, *request, *response);
  }
  grpc::Status SetPause(grpc::ServerContext*, const inputs::v1::SetPauseRequest* request,
                        inputs::v1::SetPauseResponse* response) override {
    return Run(server_.on_set_pause, *request, *response);
  }
  grpc::Status ListPauses(grpc::ServerContext*, const inputs::v1::ListPausesRequest* request,
                          inputs::v1::ListPausesResponse* response) override {
    return Run(server_.on_list_pauses, *request, *response);
  }

 private:
  ScriptedServer& server_;
};

class ScriptedServer::Outputs final : public outputs::v1::OutputsService::Service {
 public:
  explicit Outputs(ScriptedServer& server) : server_(server) {}
  grpc::Status Get(grpc::ServerContext*, const outputs::v1::GetRequest* request,
                   outputs::v1::GetResponse* response) override {
    return Run(server_.on_get_outputs, *request, *response);
  }
  grpc::Status Await(grpc::ServerContext* context, AwaitCall::Stream* stream) override {
    grpc::Status refusal = server_.on_await ? server_.on_await() : grpc::Status::OK;
    if (!refusal.ok()) return refusal;
    const auto call = std::make_shared<AwaitCall>(*context, *stream);
    server_.awaits.Put(call);
    outputs::v1::AwaitRequest request;
    int asked = 0;
    while (stream->Read(&request)) {
      call->requests.Put(request);
      asked += request.task_ids_size();
      if (asked > server_.most_awaits) {
        return platform::ToGrpc(platform::Error(absl::StatusCode::kResourceExhausted,
                                                "TOO_MANY_AWAITS", "more than one stream holds"));
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Stream(grpc::ServerContext* context, const outputs::v1::StreamRequest* request,
                      grpc::ServerWriter<outputs::v1::StreamResponse>* writer) override {
    if (!server_.on_stream) return {grpc::StatusCode::UNIMPLEMENTED, "no script"};
    return server_.on_stream(*request, *context, *writer);
  }

 private:
  ScriptedServer& server_;
};

class ScriptedServer::Events final : public events::v1::EventsService::Service {
 public:
  explicit Events(ScriptedServer& server) : server_(server) {}
  grpc::Status Read(grpc::ServerContext*, const events::v1::ReadRequest* request,
                    events::v1::ReadResponse* response) override {
    return Run(server_.on_read_events, *request, *response);
  }
  grpc::Status Subscribe(grpc::ServerContext* context, const events::v1::SubscribeRequest* request,
                         grpc::ServerWriter<events::v1::SubscribeResponse>* writer) override {
    if (!server_.on_subscribe) return {grpc::StatusCode::UNIMPLEMENTED, "no script"};
    return server_.on_subscribe(*request, *context, *writer);
  }

 private:
  ScriptedServer& server_;
};

void AwaitCall::Succeed(TaskId id, const std::string& data) {
  outputs::v1::AwaitResponse response;
  auto& result = *response.add_results();
  result.set_task_id(std::string(id.bytes()));
  result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
  result.mutable_result()->set_data(data);
  Send(response);
}

ScriptedServer::ScriptedServer()
    : inputs_(std::make_unique<Inputs>(*this)),
      outputs_(std::make_unique<Outputs>(*this)),
      events_(std::make_unique<Events>(*this)) {
  Start();
}

ScriptedServer::~ScriptedServer() { Stop(); }

void ScriptedServer::Start() {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(32 << 20);
  builder.RegisterService(inputs_.get());
  builder.RegisterService(outputs_.get());
  builder.RegisterService(events_.get());
  server_ = builder.BuildAndStart();
  REQUIRE(server_ != nullptr);
  address_ = "127.0.0.1:" + std::to_string(port);
}

void ScriptedServer::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_ = nullptr;
}

Client ScriptedServer::Connect(absl::Duration retry_for, ClientOptions options,
                               platform::Clock& clock) const {
  return Client(ConnectPlain(retry_for, clock), std::move(options));
}

std::shared_ptr<Connection> ScriptedServer::ConnectPlain(absl::Duration retry_for,
                                                         platform::Clock& clock,
                                                         size_t max_open_awaits) const {
  const auto channel = platform::MakeChannel(address_);
  internal::GrpcConnectionOptions connection{
      .inputs = channel,
      .outputs = channel,
      .events = channel,
      .retry_for = retry_for,
      .max_open_awaits = max_open_awaits,
      .environment = {clock, internal::Environment::Real().random}};
  return internal::MakeGrpcConnection(std::move(connection));
}

TaskId MakeTaskId(uint64_t sequence) {
  const auto id = platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 77);
  return TaskId::FromBytes(id.bytes()).value();
}

grpc::Status AcceptAll(const inputs::v1::SpawnRequest& request, inputs::v1::SpawnResponse& response,
                       uint64_t first) {
  for (int i = 0; i < request.specs_size(); ++i) {
    auto& result = *response.add_results();
    result.set_task_id(std::string(MakeTaskId(first++).bytes()));
    result.set_created(true);
  }
  return grpc::Status::OK;
}

}  // namespace kantoku::testing
