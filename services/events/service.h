#ifndef KANTOKU_SERVICES_EVENTS_SERVICE_H_
#define KANTOKU_SERVICES_EVENTS_SERVICE_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/events/event_filter.h"
#include "services/events/log.h"
#include "services/events/metrics.h"
#include "services/events/position.h"
#include "services/events/served.h"
#include "services/events/subscription_hub.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/encoded.h"
#include "services/platform/rpc/partitioned_service.h"

namespace kantoku::events {

// EventsService over a log and a hub, wherever they are: decodes, checks, calls, encodes. The
// contract is events.proto.
//
// Thread-safe. Everything it is made from outlives it, and it outlives its calls.
class Service final : public platform::PartitionedService<Served> {
 public:
  using SubscribeCall = platform::ServerStreamCall<v1::SubscribeRequest,
                                                   platform::SharedEncoded<v1::SubscribeResponse>>;
  Service(const Routes& routes, platform::CallMonitor& calls, Metrics& metrics);

  void Append(platform::UnaryCall* call, const v1::AppendRequest* request,
              v1::AppendResponse* response);
  void Read(platform::UnaryCall* call, const v1::ReadRequest* request,
            platform::Encoded<v1::ReadResponse>* response);
  void Subscribe(SubscribeCall* call, const v1::SubscribeRequest* request);

 private:
  static constexpr uint32_t kPartition = 0;  // Events are in one order: there are no others.

  void AppendHere(Served& served, platform::UnaryCall* call, const v1::AppendRequest& request,
                  v1::AppendResponse* response);
  void ReadHere(Served& served, platform::UnaryCall* call, const v1::ReadRequest& request,
                platform::Encoded<v1::ReadResponse>* response);
  void SubscribeHere(std::shared_ptr<Served> served, SubscribeCall* call,
                     const v1::SubscribeRequest& request);
  void Count(const EventLog& log, size_t batches, const AppendResult& result);

  Metrics& metrics_;
  platform::CallMonitor::Method& append_;
  platform::CallMonitor::Method& read_;
  platform::CallMonitor::Method& subscribe_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_SERVICE_H_
