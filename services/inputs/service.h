#ifndef KANTOKU_SERVICES_INPUTS_SERVICE_H_
#define KANTOKU_SERVICES_INPUTS_SERVICE_H_

#include <set>
#include <string>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/pull_stream.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/service.h"

namespace kantoku::inputs {

// InputsService over a partition: checks and decodes a call, asks the partition, encodes its
// answer.
//
// Thread-safe. Everything it is made of outlives it.
class InputsServiceImpl final : public platform::Service {
 public:
  struct Options {
    SpecLimits limits;
    std::set<std::string> namespaces;
  };

  InputsServiceImpl(Options options, Partition& partition, PullStreams& streams,
                    const platform::MacKeys& keys, platform::Clock& clock,
                    platform::CallMonitor& calls);

  void Control(platform::UnaryCall* call, const v1::ControlRequest* request,
               v1::ControlResponse* response);
  void GetTasks(platform::UnaryCall* call, const v1::GetTasksRequest* request,
                v1::GetTasksResponse* response);
  void ListTasks(platform::UnaryCall* call, const v1::ListTasksRequest* request,
                 v1::ListTasksResponse* response);
  void PatchInfo(platform::UnaryCall* call, const v1::PatchInfoRequest* request,
                 v1::PatchInfoResponse* response);
  void RestartTasks(platform::UnaryCall* call, const v1::RestartTasksRequest* request,
                    v1::RestartTasksResponse* response);
  void ListExecutors(platform::UnaryCall* call, const v1::ListExecutorsRequest* request,
                     v1::ListExecutorsResponse* response);
  void ControlExecutors(platform::UnaryCall* call, const v1::ControlExecutorsRequest* request,
                        v1::ControlExecutorsResponse* response);
  void SetRoute(platform::UnaryCall* call, const v1::SetRouteRequest* request,
                v1::SetRouteResponse* response);
  void ListRoutes(platform::UnaryCall* call, const v1::ListRoutesRequest* request,
                  v1::ListRoutesResponse* response);
  void SetLimits(platform::UnaryCall* call, const v1::SetLimitsRequest* request,
                 v1::SetLimitsResponse* response);
  void ListLimits(platform::UnaryCall* call, const v1::ListLimitsRequest* request,
                  v1::ListLimitsResponse* response);
  void SetPause(platform::UnaryCall* call, const v1::SetPauseRequest* request,
                v1::SetPauseResponse* response);
  void ListPauses(platform::UnaryCall* call, const v1::ListPausesRequest* request,
                  v1::ListPausesResponse* response);
  void SetBlocks(platform::UnaryCall* call, const v1::SetBlocksRequest* request,
                 v1::SetBlocksResponse* response);
  void ListBlocks(platform::UnaryCall* call, const v1::ListBlocksRequest* request,
                  v1::ListBlocksResponse* response);

 private:
  // In a batch only the bad items fail, and a bad report stops no other: these two look at text
  // that is no UTF-8 by themselves.
  void Spawn(platform::UnaryCall* call, const platform::Received<v1::SpawnRequest>* request,
             v1::SpawnResponse* response);
  void Pull(PullStream::Call* call);

  // PERMISSION_DENIED, NAMESPACE_FORBIDDEN where the caller may not use it, whether there is one or
  // not; NOT_FOUND, NO_SUCH_NAMESPACE.
  absl::Status CheckNamespace(const platform::Identity& caller, const std::string& name) const;

  const Options options_;
  Partition& partition_;
  PullStreams& streams_;
  const platform::MacKeys& keys_;
  platform::Clock& clock_;
  platform::CallMonitor::Method& spawn_;
  platform::CallMonitor::Method& pull_;
  platform::CallMonitor::Method& control_;
  platform::CallMonitor::Method& get_tasks_;
  platform::CallMonitor::Method& list_tasks_;
  platform::CallMonitor::Method& patch_info_;
  platform::CallMonitor::Method& restart_tasks_;
  platform::CallMonitor::Method& list_executors_;
  platform::CallMonitor::Method& control_executors_;
  platform::CallMonitor::Method& set_route_;
  platform::CallMonitor::Method& list_routes_;
  platform::CallMonitor::Method& set_limits_;
  platform::CallMonitor::Method& list_limits_;
  platform::CallMonitor::Method& set_pause_;
  platform::CallMonitor::Method& list_pauses_;
  platform::CallMonitor::Method& set_blocks_;
  platform::CallMonitor::Method& list_blocks_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SERVICE_H_
