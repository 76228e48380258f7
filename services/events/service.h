#ifndef KANTOKU_SERVICES_EVENTS_SERVICE_H_
#define KANTOKU_SERVICES_EVENTS_SERVICE_H_

#include <atomic>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/events/event_filter.h"
#include "services/events/log.h"
#include "services/events/metrics.h"
#include "services/events/position.h"
#include "services/events/subscription_hub.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/encoded.h"
#include "services/platform/rpc/service.h"

namespace kantoku::events {

// EventsService over a log and a hub: decodes, checks, calls, encodes. The contract is
// events.proto.
//
// Thread-safe. Everything it is made from outlives it, and it outlives its calls.
class Service final : public platform::Service {
 public:
  using SubscribeCall = platform::ServerStreamCall<v1::SubscribeRequest,
                                                   platform::SharedEncoded<v1::SubscribeResponse>>;
  struct Parts {
    EventLog& log;
    SubscriptionHub& hub;
    platform::CallMonitor& calls;
    Metrics& metrics;
  };

  explicit Service(const Parts& parts);

  // Until then, and again after Close, calls are UNAVAILABLE.
  void Open() { open_ = true; }
  void Close() { open_ = false; }

  void Append(platform::UnaryCall* call, const v1::AppendRequest* request,
              v1::AppendResponse* response);
  void Read(platform::UnaryCall* call, const v1::ReadRequest* request,
            platform::Encoded<v1::ReadResponse>* response);
  void Subscribe(SubscribeCall* call, const v1::SubscribeRequest* request);

 private:
  absl::Status CheckOpen() const;
  absl::StatusOr<AppendCommand> Admit(const v1::AppendRequest& request) const;
  void Count(size_t batches, const AppendResult& result);
  absl::StatusOr<SubscriptionHub::ReadRequest> Admit(const v1::ReadRequest& request,
                                                     const platform::Identity& reader) const;
  struct Subscription {
    Position from;
    EventFilter filter;
  };
  absl::StatusOr<Subscription> Admit(const platform::Call& call,
                                     const v1::SubscribeRequest& request) const;
  absl::StatusOr<Position> Resolve(std::string_view after, v1::StartAt start) const;

  Parts parts_;
  platform::CallMonitor::Method& append_;
  platform::CallMonitor::Method& read_;
  platform::CallMonitor::Method& subscribe_;
  std::atomic<bool> open_ = false;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_SERVICE_H_
