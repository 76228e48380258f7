#include "client/cpp/src/grpc_event_stream.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/convert.h"
#include "services/platform/check.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

namespace pb = ::kantoku::events::v1;

absl::Status Cancelled() {
  return platform::Error(absl::StatusCode::kCancelled, "STREAM_CANCELLED",
                         "the subscription was cancelled");
}

absl::Status TimedOut(absl::Duration timeout) {
  return platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                         absl::StrCat("no event within ", absl::FormatDuration(timeout)));
}

}  // namespace

// One connection of a subscription. Owned by the call set until OnDone.
class GrpcEventStream::Reader final : private platform::ClientStream::Handler, public Cancellable {
 public:
  explicit Reader(const CallRuntime& runtime)
      : clock_(runtime.environment.clock), calls_(runtime.calls), stream_(runtime.queue, *this) {}

  void Open(pb::EventsService::Stub& stub, const pb::SubscribeRequest& request) {
    stream_.Open([&](auto* context, auto* queue) {
      return stub.PrepareAsyncSubscribe(context, request, queue);
    });
    stream_.StartRead(&response_);
  }

  void Cancel() override {
    bool read = false;
    {
      platform::MutexLock lock(mutex_);
      cancelled_ = true;
      read = std::exchange(has_response_, false);
      changed_.SignalAll();
    }
    stream_.Cancel();
    if (read) stream_.StartRead(&response_);  // The stream ends with a read that fails.
  }

  // Waits for a message and begins to read the next one. Absent: none came in time, or the stream
  // ended, as `end` then says.
  std::optional<pb::SubscribeResponse> Take(absl::Duration deadline,
                                            std::optional<absl::Status>& end) {
    std::optional<pb::SubscribeResponse> taken;
    {
      platform::MutexLock lock(mutex_);
      while (!has_response_ && !end_.has_value() && !cancelled_ &&
             clock_.Read().steady < deadline) {
        clock_.Wait(mutex_, changed_, deadline);
      }
      if (!has_response_) {
        end = end_;
        return std::nullopt;
      }
      has_response_ = false;
      taken = std::move(response_);
    }
    stream_.StartRead(&response_);
    return taken;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      platform::MutexLock lock(mutex_);
      has_response_ = !cancelled_;
      changed_.SignalAll();
      if (has_response_) return;
    }
    stream_.StartRead(&response_);
  }
  void OnDone(const absl::Status& status) override {
    {
      platform::MutexLock lock(mutex_);
      end_ = status;
      changed_.SignalAll();
    }
    calls_.Remove(this);  // May destroy this.
  }

  platform::Clock& clock_;
  CallSet& calls_;
  platform::ClientReadStream<pb::SubscribeResponse> stream_;
  pb::SubscribeResponse response_;  // Belongs to gRPC unless has_response_.

  platform::Mutex mutex_;
  platform::CondVar changed_;
  bool has_response_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

GrpcEventStream::GrpcEventStream(std::shared_ptr<const void> owner, const CallRuntime& runtime,
                                 pb::EventsService::Stub& stub, pb::SubscribeRequest request,
                                 absl::Duration retry_for, absl::Status refusal)
    : owner_(std::move(owner)),
      runtime_(runtime),
      stub_(stub),
      retry_for_(retry_for),
      request_(std::move(request)),
      end_(std::move(refusal)) {}

GrpcEventStream::~GrpcEventStream() { Cancel(); }

absl::StatusOr<EventPage> GrpcEventStream::Next(absl::Duration timeout) {
  KANTOKU_RETURN_IF_ERROR(LibraryThreadScope::CheckMayWait());
  const absl::Duration deadline = runtime_.environment.clock.Read().steady + timeout;
  while (true) {
    const std::shared_ptr<Reader> reader = CurrentReader();
    if (reader == nullptr) {
      platform::MutexLock lock(mutex_);
      return end_;
    }
    std::optional<absl::Status> broken;
    auto response = reader->Take(deadline, broken);
    if (response.has_value()) {
      failures_ = 0;
      unreachable_since_ = absl::InfiniteDuration();
      request_.set_after(response->next());
      EventPage page{.next = response->next(), .gap = response->gap()};
      for (pb::Event& event : *response->mutable_events()) {
        page.events.push_back(ToEvent(std::move(event)));
      }
      return page;
    }
    if (broken.has_value()) {
      KANTOKU_RETURN_IF_ERROR(PauseBeforeReopening(*broken, deadline));
    } else if (runtime_.environment.clock.Read().steady >= deadline) {
      return TimedOut(timeout);
    }
  }
}

void GrpcEventStream::Cancel() {
  std::shared_ptr<Reader> reader;
  {
    platform::MutexLock lock(mutex_);
    if (end_.ok()) end_ = Cancelled();
    reader = std::move(reader_);
    reader_ = nullptr;
  }
  cancelled_.SignalAll();
  if (reader != nullptr) reader->Cancel();
}

std::shared_ptr<GrpcEventStream::Reader> GrpcEventStream::CurrentReader() {
  std::shared_ptr<Reader> reader;
  {
    platform::MutexLock lock(mutex_);
    if (!end_.ok()) return nullptr;
    if (reader_ != nullptr) return reader_;
    reader = reader_ = std::make_shared<Reader>(runtime_);
    // The owner keeps the set open.
    KANTOKU_CHECK(runtime_.calls.Add(reader));
  }
  reader->Open(stub_, request_);
  return reader;
}

absl::Status GrpcEventStream::PauseBeforeReopening(const absl::Status& broken,
                                                   absl::Duration deadline) {
  platform::Clock& clock = runtime_.environment.clock;
  const absl::Duration now = clock.Read().steady;
  unreachable_since_ = std::min(unreachable_since_, now);
  const absl::Duration pause = PauseAfter(broken, ++failures_, runtime_.environment.random());
  platform::MutexLock lock(mutex_);
  reader_ = nullptr;
  if (!end_.ok()) return end_;
  if (IsPermanent(broken)) return end_ = broken;
  if (now + pause - unreachable_since_ >= retry_for_) {
    return end_ = platform::Annotate(broken, absl::StrCat("events could not be reached for ",
                                                          absl::FormatDuration(retry_for_)));
  }
  // A Next whose time is over before returns from its next look.
  const absl::Duration end = std::min(now + pause, deadline);
  while (end_.ok() && clock.Read().steady < end) clock.Wait(mutex_, cancelled_, end);
  return end_;
}

}  // namespace kantoku::internal
