#ifndef KANTOKU_CLIENT_CPP_SRC_GRPC_CONNECTION_H_
#define KANTOKU_CLIENT_CPP_SRC_GRPC_CONNECTION_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/cpp/src/await_hub.h"
#include "client/cpp/src/gatherer.h"
#include "client/cpp/src/retrying_call.h"
#include "kantoku/connection.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"

namespace kantoku::internal {

struct GrpcConnectionOptions {
  std::shared_ptr<grpc::Channel> inputs;
  std::shared_ptr<grpc::Channel> outputs;
  std::shared_ptr<grpc::Channel> events;
  std::shared_ptr<platform::TokenSource> tokens;  // That the channels show; null: none.
  absl::Duration retry_for = absl::Minutes(5);
  // Futures that Outputs is asked for at a time; half of what one stream may hold there.
  size_t max_open_awaits = 500'000;
  Environment environment = Environment::Real();
};

// Inputs, Outputs and Events over gRPC. `environment.clock` outlives it.
std::shared_ptr<Connection> MakeGrpcConnection(GrpcConnectionOptions options);

class GrpcConnection final : public Connection,
                             public std::enable_shared_from_this<GrpcConnection> {
 public:
  explicit GrpcConnection(GrpcConnectionOptions options);
  ~GrpcConnection() override;

  void Spawn(SpawnRequest request, SpawnDone done) override;
  void Await(AwaitRequest request, AwaitDone done) override;
  void Control(ControlRequest request, ControlDone done) override;
  void Get(TasksRequest request, GetDone done) override;
  void GetOutputs(TasksRequest request, GetOutputsDone done) override;
  absl::StatusOr<TaskPage> List(ListRequest request) override;
  absl::StatusOr<uint64_t> PatchInfo(PatchInfoRequest request) override;
  absl::StatusOr<RestartPage> Restart(RestartRequest request) override;
  absl::StatusOr<std::vector<ExecutorInfo>> ListExecutors(ListExecutorsRequest request) override;
  std::vector<absl::Status> ControlExecutors(ControlExecutorsRequest request) override;
  absl::Status SetRoute(SetRouteRequest request) override;
  absl::StatusOr<std::vector<Route>> ListRoutes(ListRoutesRequest request) override;
  absl::StatusOr<SetLimitsAnswer> SetLimits(SetLimitsRequest request) override;
  absl::StatusOr<LimitPage> ListLimits(ListLimitsRequest request) override;
  absl::Status SetPause(SetPauseRequest request) override;
  absl::StatusOr<std::vector<TypePause>> ListPauses(ListPausesRequest request) override;
  absl::StatusOr<EventPage> ReadEvents(ReadEventsRequest request) override;
  std::unique_ptr<EventStream> Subscribe(SubscribeRequest request) override;
  std::unique_ptr<ItemStream> Stream(StreamRequest request) override;
  absl::Status WaitUntilReachable(absl::Duration timeout) override;
  absl::Time Now() override { return options_.environment.clock.Read().wall; }

 private:
  using Spawner = Gatherer<std::unique_ptr<task::v1::TaskSpec>, SpawnedTask>;
  // Of tasks that depend on each other by their places in the batch, which therefore is one call.
  using SpawnCall = std::shared_ptr<inputs::v1::SpawnRequest>;
  using BatchSpawner = Gatherer<SpawnCall, Spawner::Results>;
  struct Spawners {
    std::unique_ptr<Spawner> single;
    std::unique_ptr<BatchSpawner> batches;
  };
  template <typename Result>
  using ByIds = Gatherer<TaskId, Result>;

  Spawners MakeSpawners(const std::string& namespace_name);
  std::shared_ptr<Cancellable> SendSpawn(SpawnCall call, const std::string& namespace_name,
                                         Spawner::BatchDone done);
  void SpawnTogether(SpawnRequest request, SpawnDone done);
  // A gatherer whose batch of ids is one `Request` through `rpc`, all but the ids like `what`;
  // `convert` reads one result.
  template <typename Request, typename Response, typename Result, typename Rpc, typename Convert>
  std::unique_ptr<ByIds<Result>> MakeByIds(Request what, RetryLimits limits, Rpc rpc,
                                           Convert convert,
                                           typename ByIds<Result>::AskAgain ask_again = nullptr);

  absl::StatusOr<inputs::v1::ControlExecutorsResponse> ControlInOneCall(
      const ControlExecutorsRequest& request);
  absl::StatusOr<RestartPage> RestartInOneCall(inputs::v1::RestartTasksRequest proto,
                                               const RestartRequest& request,
                                               absl::Duration deadline);
  void WakeSpawners();
  RetryLimits Limits(absl::Duration timeout) const;
  Spawners& SpawnersOf(const std::string& namespace_name);
  ByIds<TaskState>& ControllerOf(const inputs::v1::ControlRequest& what);
  std::string NewRequestId() const;

  const GrpcConnectionOptions options_;
  const std::unique_ptr<inputs::v1::InputsService::Stub> inputs_;
  const std::unique_ptr<outputs::v1::OutputsService::Stub> outputs_;
  const std::unique_ptr<events::v1::EventsService::Stub> events_;

  // The destructor ends these in its own order.
  CallSet calls_;
  std::unique_ptr<Timer> timer_;
  platform::CallQueue queue_;
  const CallRuntime runtime_;
  AwaitHub awaits_;
  std::unique_ptr<ByIds<TaskInfo>> gets_;
  std::unique_ptr<ByIds<Output>> outputs_now_;

  platform::Mutex mutex_;
  absl::flat_hash_map<std::string, std::unique_ptr<Spawners>> spawners_ ABSL_GUARDED_BY(mutex_);
  // By what they ask for, as it is sent: verb, tree, and an escalation of two figures.
  absl::flat_hash_map<std::string, std::unique_ptr<ByIds<TaskState>>> controllers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_GRPC_CONNECTION_H_
