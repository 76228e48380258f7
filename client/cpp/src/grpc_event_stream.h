#ifndef KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_
#define KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/src/reopening_reader.h"
#include "kantoku/event.h"
#include "kantoku/events/v1/events.grpc.pb.h"

namespace kantoku::internal {

// A subscription over gRPC. One message is fetched ahead; the server waits while it is not taken.
//
// Thread-safe, as EventStream says. Keeps `owner`, to which the other collaborators belong.
class GrpcEventStream final : public EventStream {
 public:
  // A `refusal` that is not OK is the answer to every Next.
  GrpcEventStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                  events::v1::EventsService::Stub& stub, events::v1::SubscribeRequest request,
                  absl::Duration retry_for, absl::Status refusal);

  absl::StatusOr<EventPage> Next(absl::Duration timeout) override;
  void Cancel() override { reader_.Cancel(); }

 private:
  const std::shared_ptr<const void> owner_;
  // Of the one Next.
  events::v1::SubscribeRequest request_;  // Where to go on.
  events::v1::SubscribeResponse response_;
  ReopeningReader<events::v1::SubscribeResponse> reader_;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_
