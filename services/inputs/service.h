#ifndef KANTOKU_SERVICES_INPUTS_SERVICE_H_
#define KANTOKU_SERVICES_INPUTS_SERVICE_H_

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/pull_stream.h"
#include "services/inputs/served.h"
#include "services/inputs/silent_calls.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/first_request.h"
#include "services/platform/rpc/partitioned_service.h"

namespace kantoku::inputs {

// InputsService over its partitions: finds the one that a call is about, checks and decodes the
// call, asks the partition, encodes its answer. Calls about a namespace, and the executors of one,
// go to its partition; calls about tasks to those that their ids name.
//
// Thread-safe. Everything it is made of outlives it.
class InputsServiceImpl final : public platform::PartitionedService<Served> {
 public:
  static constexpr int kMaxPatches = 1'000;  // Of one call.

  struct Options {
    SpecLimits limits;
    std::set<std::string> namespaces;
    absl::Duration hello_limit = absl::Seconds(6);  // For the first word of an executor.
  };

  InputsServiceImpl(Options options, const Routes& routes, const platform::MacKeys& keys,
                    platform::Clock& clock, platform::CallMonitor& calls);

  void Control(Served& served, platform::UnaryCall* call, const v1::ControlRequest* request,
               v1::ControlResponse* response);
  void GetTasks(Served& served, platform::UnaryCall* call, const v1::GetTasksRequest* request,
                v1::GetTasksResponse* response);
  void ListTasks(Served& served, platform::UnaryCall* call, const v1::ListTasksRequest* request,
                 v1::ListTasksResponse* response);
  void PatchInfo(Served& served, platform::UnaryCall* call, const v1::PatchInfoRequest* request,
                 v1::PatchInfoResponse* response);
  void RestartTasks(Served& served, platform::UnaryCall* call,
                    const v1::RestartTasksRequest* request, v1::RestartTasksResponse* response);
  void ListExecutors(Served& served, platform::UnaryCall* call,
                     const v1::ListExecutorsRequest* request, v1::ListExecutorsResponse* response);
  void ControlExecutors(Served& served, platform::UnaryCall* call,
                        const v1::ControlExecutorsRequest* request,
                        v1::ControlExecutorsResponse* response);
  void SetRoute(Served& served, platform::UnaryCall* call, const v1::SetRouteRequest* request,
                v1::SetRouteResponse* response);
  void ListRoutes(Served& served, platform::UnaryCall* call, const v1::ListRoutesRequest* request,
                  v1::ListRoutesResponse* response);
  void SetLimits(Served& served, platform::UnaryCall* call, const v1::SetLimitsRequest* request,
                 v1::SetLimitsResponse* response);
  void ListLimits(Served& served, platform::UnaryCall* call, const v1::ListLimitsRequest* request,
                  v1::ListLimitsResponse* response);
  void SetPause(Served& served, platform::UnaryCall* call, const v1::SetPauseRequest* request,
                v1::SetPauseResponse* response);
  void ListPauses(Served& served, platform::UnaryCall* call, const v1::ListPausesRequest* request,
                  v1::ListPausesResponse* response);
  void SetBlocks(Served& served, platform::UnaryCall* call, const v1::SetBlocksRequest* request,
                 v1::SetBlocksResponse* response);
  void ListBlocks(Served& served, platform::UnaryCall* call, const v1::ListBlocksRequest* request,
                  v1::ListBlocksResponse* response);

 private:
  // In a batch only the bad items fail, and a bad report stops no other: these two look at text
  // that is no UTF-8 by themselves.
  void Spawn(platform::UnaryCall* call, const platform::Received<v1::SpawnRequest>* request,
             v1::SpawnResponse* response);
  void SpawnHere(Served& served, platform::UnaryCall* call,
                 const platform::Received<v1::SpawnRequest>& request, v1::SpawnResponse* response);
  void Pull(PullStream::Call* call);
  void PullIn(uint32_t partition, PullStream::Call* call,
              const std::shared_ptr<const platform::Identity>& caller,
              std::optional<PullStream::Request> first);

  // PERMISSION_DENIED, NAMESPACE_FORBIDDEN where the caller may not use it, whether there is one or
  // not; NOT_FOUND, NO_SUCH_NAMESPACE.
  absl::Status CheckNamespace(const platform::Identity& caller, const std::string& name) const;

  // Where the namespace is.
  uint32_t PartitionOf(const std::string& name_space) const {
    return map().OfSlot(platform::SlotOfNamespace(name_space, platform::kSlotCount));
  }
  // Those about one namespace.
  template <typename Request, typename Response>
  void HandleInNamespace(const std::string& method, platform::CallMonitor::Method& monitor,
                         void (InputsServiceImpl::*handle)(Served&, platform::UnaryCall*,
                                                           const Request*, Response*));
  class Everywhere;
  // SetBlocks, in every partition: each lets executors in.
  void SetBlocksEverywhere(platform::UnaryCall* call, const v1::SetBlocksRequest* request,
                           v1::SetBlocksResponse* response);

  using FirstPull = platform::FirstRequest<PullStream::Request, PullStream::Response>;

  const Options options_;
  SilentCalls<FirstPull> silent_;
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
