#include "client/cpp/src/grpc_event_stream.h"

#include <utility>

#include "client/cpp/src/convert.h"
#include "services/platform/status.h"

namespace kantoku::internal {

namespace pb = ::kantoku::events::v1;

GrpcEventStream::GrpcEventStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                                 pb::EventsService::Stub& stub, pb::SubscribeRequest request,
                                 absl::Duration retry_for, absl::Status refusal)
    : owner_(std::move(owner)),
      request_(std::move(request)),
      reader_(
          runtime, "events", retry_for,
          [this, &stub](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
            return stub.PrepareAsyncSubscribe(context, request_, queue);
          },
          std::move(refusal)) {}

absl::StatusOr<EventPage> GrpcEventStream::Next(absl::Duration timeout) {
  KANTOKU_ASSIGN_OR_RETURN(pb::SubscribeResponse response,
                           reader_.Take(timeout, [](const auto&) { return true; }));
  request_.set_after(response.next());
  EventPage page{.next = response.next(), .gap = response.gap()};
  for (pb::Event& event : *response.mutable_events()) {
    page.events.push_back(ToEvent(std::move(event)));
  }
  return page;
}

}  // namespace kantoku::internal
