#ifndef KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_
#define KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/src/retry.h"
#include "kantoku/event.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/mutex.h"

namespace kantoku::internal {

// A subscription over gRPC. One message is fetched ahead; the server waits while it is not taken.
// A broken stream is opened again by the Next that misses it.
//
// Thread-safe, as EventStream says. Keeps `owner`, to which the other collaborators belong.
class GrpcEventStream final : public EventStream {
 public:
  // A `refusal` that is not OK is the answer to every Next.
  GrpcEventStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                  events::v1::EventsService::Stub& stub, events::v1::SubscribeRequest request,
                  absl::Duration retry_for, absl::Status refusal);
  ~GrpcEventStream() override;

  absl::StatusOr<EventPage> Next(absl::Duration timeout) override;
  void Cancel() override;

 private:
  class Reader;

  // The reader to look at, opened if there is none.
  std::shared_ptr<Reader> CurrentReader();
  // Waits before the stream opens again. Not OK when it shall not.
  absl::Status PauseBeforeReopening(const absl::Status& broken, absl::Duration deadline);

  const std::shared_ptr<const void> owner_;
  const CallRuntime runtime_;
  events::v1::EventsService::Stub& stub_;
  const absl::Duration retry_for_;

  // Of the one Next.
  events::v1::SubscribeRequest request_;
  int failures_ = 0;
  absl::Duration unreachable_since_ = absl::InfiniteDuration();

  platform::Mutex mutex_;
  platform::CondVar cancelled_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);  // Not OK: the answer to every Next.
  std::shared_ptr<Reader> reader_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_GRPC_EVENT_STREAM_H_
