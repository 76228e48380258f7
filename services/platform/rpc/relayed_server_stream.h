#ifndef KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_SERVER_STREAM_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_SERVER_STREAM_H_

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/encoded.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/rpc/relay.h"
#include "services/platform/rpc/stream_call.h"
#include "services/platform/status.h"

namespace kantoku::platform {

// What a call says that has its answers relayed; nothing when the bytes are none of it.
template <typename Response>
std::optional<Response> AnswerOf(std::string_view bytes, std::type_identity<Response>) {
  Response response;
  if (!response.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return response;
}
template <typename Message>
std::optional<SharedEncoded<Message>> AnswerOf(std::string_view bytes,
                                               std::type_identity<SharedEncoded<Message>>) {
  Encoded<Message> encoded;
  encoded.mutable_bytes() = bytes;
  return SharedEncoded<Message>(std::move(encoded));
}

// A stream of answers to one request that another replica gives. Each is passed on as it came;
// while one is on its way to the client the other replica is not read from. Its end ends the stream
// with its status; after an end with an error a client that does not read holds the stream for a
// second. When the client leaves, or is let in no more, the call there is cancelled.
//
// Thread-safe. Owns itself from Start until after the call's end; others hold it by shared_ptr (or
// a weak_ptr). The forwarder outlives it; its Drain and Stop end it.
template <typename Request, typename Response>
class RelayedServerStream final
    : public std::enable_shared_from_this<RelayedServerStream<Request, Response>>,
      private Relay::Receiver,
      private StreamCall::Handler {
 public:
  using Call = ServerStreamCall<Request, Response>;

  // `on_ended` is called last.
  RelayedServerStream(
      Call* call, CallMonitor::Method& method, Forwarder& forwarder, RelayTarget target,
      std::function<void()> on_ended = [] {})
      : call_(call),
        method_(method),
        forwarder_(forwarder),
        target_(std::move(target)),
        on_ended_(std::move(on_ended)) {}

  // Once. On the thread of the call's queue, which gave the request.
  void Start(const Request& request) {
    method_.StreamOpened();
    call_->Accept(*this);
    {
      MutexLock lock(mutex_);
      self_ = this->shared_from_this();
    }
    relay_ = Relay::Open(forwarder_, *call_, target_.path, target_.replica,
                         std::shared_ptr<Relay::Receiver>(this->shared_from_this(), this));
    relay_->Write(ViewOf(SliceOf(request)));
    relay_->Finish();
  }

  // Ends the stream after the message that is on its way. Idempotent.
  void Close(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (!closing_.has_value()) closing_ = status;
      if (writing_ || std::exchange(finished_, true)) return;
    }
    call_->Finish(status);
  }
  // The same; a client that does not read what is on its way sees CANCELLED a second later.
  void CloseSoon(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (writing_) call_->EndSoon();  // Which is there until the message has left.
    }
    Close(status);
  }
  // The same, without waiting for a client that does not read.
  void Abort(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (writing_) call_->TryCancel();  // Which is there until the message has left.
    }
    Close(status);
  }

 private:
  void OnRelayed(std::string_view message) override {
    const auto answer = AnswerOf(message, std::type_identity<Response>());
    if (!answer.has_value()) {
      return Close(Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                         "what another replica answers is no answer to this call"));
    }
    relay_->PauseReading();  // Until this one has left.
    {
      MutexLock lock(mutex_);
      if (closing_.has_value()) return;
      writing_ = true;
    }
    call_->StartWrite(&*answer);
  }
  void OnRelayWritable() override {}  // One message always has room.
  void OnRelayEnded(const absl::Status& status) override {
    status.ok() ? Close(status) : CloseSoon(status);
  }

  void OnWriteDone(bool ok) override {
    std::optional<absl::Status> end;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!ok && !closing_.has_value()) closing_ = Left();
      if (closing_.has_value() && !std::exchange(finished_, true)) end = closing_;
    }
    if (end.has_value()) return call_->Finish(*end);
    relay_->ResumeReading();
  }
  void OnCancel() override { Close(Left()); }
  void OnRefused(const absl::Status& why) override { Close(why); }
  void OnDone() override {
    std::shared_ptr<RelayedServerStream> self;
    absl::Status status;
    {
      MutexLock lock(mutex_);
      self = std::move(self_);
      status = *closing_;
    }
    relay_->Cancel();
    on_ended_();
    method_.StreamEnded(status);
  }

  static absl::Status Left() {
    return Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left");
  }

  Call* const call_;
  CallMonitor::Method& method_;
  Forwarder& forwarder_;
  const RelayTarget target_;
  const std::function<void()> on_ended_;
  std::shared_ptr<Relay> relay_;  // From Start on; nothing but its end comes before the request.

  Mutex mutex_;
  std::shared_ptr<RelayedServerStream> self_ ABSL_GUARDED_BY(mutex_);  // From Start to OnDone.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> closing_ ABSL_GUARDED_BY(mutex_);  // Set once.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_SERVER_STREAM_H_
