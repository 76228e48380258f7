#ifndef KANTOKU_CLIENT_CPP_SRC_RETRYING_CALL_H_
#define KANTOKU_CLIENT_CPP_SRC_RETRYING_CALL_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cpp/src/retry.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/status.h"

namespace kantoku::internal {

// One unary RPC that is repeated, unchanged, while that is worth it.
//
// `done` is called once, on any thread, possibly before Start returns: with the response; with the
// status of the last try, once it is not worth repeating or `retry_for` is over; with
// DEADLINE_EXCEEDED when the caller's timeout is; with CANCELLED after Cancel.
//
// Thread-safe. Owned by the call set and by itself until `done` has returned.
template <typename Request, typename Response>
class RetryingCall final : public Cancellable,
                           public std::enable_shared_from_this<RetryingCall<Request, Response>> {
 public:
  // Begins a try: the stub's Async… of the method.
  using Rpc = std::function<std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>(
      grpc::ClientContext*, const Request&, grpc::CompletionQueue*)>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<Response>)>;

  static std::shared_ptr<RetryingCall> Start(const CallRuntime& runtime, const RetryLimits& limits,
                                             Rpc rpc, Request request, Done done) {
    std::shared_ptr<RetryingCall> call(
        new RetryingCall(runtime, limits, std::move(rpc), std::move(request), std::move(done)));
    if (runtime.calls.Add(call)) {
      call->Try();
    } else {
      call->Finish(Cancelled());
    }
    return call;
  }

  void Cancel() override {
    std::shared_ptr<grpc::ClientContext> context;
    Timer::Id pause = Timer::kNone;
    {
      platform::MutexLock lock(mutex_);
      cancelled_ = true;
      context = context_;
      pause = std::exchange(pause_, Timer::kNone);
    }
    if (context != nullptr) context->TryCancel();
    if (pause != Timer::kNone && runtime_.timer.Cancel(pause)) Finish(Cancelled());
  }

 private:
  // A server that neither answers nor breaks off is asked again after this long.
  static constexpr absl::Duration kTryTimeout = absl::Seconds(30);

  RetryingCall(const CallRuntime& runtime, const RetryLimits& limits, Rpc rpc, Request request,
               Done done)
      : runtime_(runtime),
        limits_(limits),
        rpc_(std::move(rpc)),
        started_(runtime.environment.clock.Read().steady),
        request_(std::move(request)),
        done_(std::move(done)) {}

  static absl::Status Cancelled() {
    return platform::Error(absl::StatusCode::kCancelled, "CLIENT_CLOSED", "the call was cancelled");
  }

  absl::Duration Elapsed() const { return runtime_.environment.clock.Read().steady - started_; }

  void Try() {
    const auto context = std::make_shared<grpc::ClientContext>();
    const absl::Duration left = std::min(kTryTimeout, limits_.timeout - Elapsed());
    // gRPC's deadlines are by the machine's clock, whichever clock drives the pauses.
    context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(left));
    {
      platform::MutexLock lock(mutex_);
      pause_ = Timer::kNone;
      if (!cancelled_) context_ = context;
    }
    if (was_cancelled()) return Finish(Cancelled());
    response_.Clear();
    platform::ReceiveAnswer(runtime_.queue, rpc_(context.get(), request_, runtime_.queue.get()),
                            &response_,
                            [self = this->shared_from_this()](const absl::Status& status) {
                              const LibraryThreadScope scope;
                              self->DropContext();
                              self->OnAnswer(status);
                            });
  }

  void DropContext() {
    std::shared_ptr<grpc::ClientContext> dropped;
    platform::MutexLock lock(mutex_);
    dropped = std::exchange(context_, nullptr);
  }

  void OnAnswer(const absl::Status& status) {
    if (status.ok()) return Finish(std::move(response_));
    if (was_cancelled()) return Finish(Cancelled());
    if (!IsWorthRepeating(status)) return Finish(status);
    const absl::Duration pause = PauseAfter(status, ++failures_, runtime_.environment.random());
    const absl::Duration end = Elapsed() + pause;
    if (end >= limits_.timeout) {
      return Finish(
          platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                          absl::StrCat("no answer within ", absl::FormatDuration(limits_.timeout),
                                       "; the last try: ", status.message())));
    }
    if (end >= limits_.retry_for) {
      return Finish(platform::Annotate(
          AsFailure(status),
          absl::StrCat("gave up after ", failures_, failures_ == 1 ? " try" : " tries")));
    }
    Pause(pause);
  }

  void Pause(absl::Duration pause) {
    {
      platform::MutexLock lock(mutex_);
      if (!cancelled_) {
        pause_ = runtime_.timer.After(pause, [self = this->shared_from_this()] { self->Try(); });
        return;
      }
    }
    Finish(Cancelled());
  }

  bool was_cancelled() {
    platform::MutexLock lock(mutex_);
    return cancelled_;
  }

  void Finish(absl::StatusOr<Response> result) {
    const auto self = this->shared_from_this();
    std::exchange(done_, nullptr)(std::move(result));
    runtime_.calls.Remove(this);
  }

  const CallRuntime runtime_;
  const RetryLimits limits_;
  const Rpc rpc_;
  const absl::Duration started_;

  // Of the one try or pause that is under way.
  Request request_;
  Response response_;
  Done done_;
  int failures_ = 0;

  platform::Mutex mutex_;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);  // During a try.
  Timer::Id pause_ ABSL_GUARDED_BY(mutex_) = Timer::kNone;                // Between two tries.
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_RETRYING_CALL_H_
