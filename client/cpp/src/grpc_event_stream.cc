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
  KANTOKU_RETURN_IF_ERROR(reader_.Take(
      timeout, [](const auto&) { return true; }, response_));
  request_.set_after(response_.next());
  return EventPage{
      .events = ToEvents(response_.events()), .next = response_.next(), .gap = response_.gap()};
}

}  // namespace kantoku::internal
