#ifndef KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_STREAM_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_STREAM_H_

#include <grpcpp/support/slice.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/bidi_stream.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/rpc/received.h"
#include "services/platform/rpc/relay.h"

namespace kantoku::platform {

// A bidirectional stream that another replica answers. Requests pass as they came; answers too, but
// that those which wait together leave as one message, so they have to be such as may be merged.
//
// Guarantees: each side waits for the other's reader: while the client does not read, the other
// replica is not read from, and the reverse; at most kMaxWaiting and one message wait here each
// way, or what `options` say towards the client. The client's end ends what is said to the other
// replica, whose end ends the stream with its status; after an end with an error a client that does
// not read holds the stream for a second. When the client leaves, or is let in no more, the call
// there is cancelled. A token that the client shows within the stream is taken here, then
// passed on; both replicas ask for newer ones.
//
// Thread-safe. Owned as CoalescingStream says, and by its relay. The forwarder outlives it; its
// Drain and Stop end it.
template <typename Request, typename Response>
class RelayedStream final : public CoalescingStream<Request, Response>, private Relay::Receiver {
  using Base = CoalescingStream<Request, Response>;

 public:
  using Call = typename Base::Call;
  static constexpr size_t kMaxWaiting = Relay::kMaxPendingBytes;

  // `on_ended` is called last.
  RelayedStream(
      Call* call, CallMonitor::Method& method, Forwarder& forwarder, RelayTarget target,
      std::function<void()> on_ended = [] {},
      const BidiStreamOptions& options = {.max_pending_bytes = kMaxWaiting})
      : Base(call, method, options),
        call_(call),
        forwarder_(forwarder),
        target_(std::move(target)),
        on_ended_(std::move(on_ended)) {}

  // Instead of CoalescingStream::Start; the same. On the thread of the call's queue.
  void Start(std::optional<Request> first = std::nullopt) {
    relay_ = Relay::Open(forwarder_, *call_, target_.path, target_.replica,
                         std::shared_ptr<Relay::Receiver>(this->shared_from_this(), this));
    Base::Start(std::move(first));
  }

 private:
  void OnToken(std::string_view token) override { token_ = token; }

  void OnRequest(Request& request) override {
    if constexpr (RenewsTokens<Request, Response>) {
      if (!token_.empty()) MessageOf(request).set_access_token(std::exchange(token_, {}));
    }
    grpc::Slice bytes = SliceOf(request);
    MutexLock lock(mutex_);  // Before there is room again, it is known what for.
    if (relay_->Write(ViewOf(bytes))) return;
    unwritten_ = std::move(bytes);
    this->PauseReading();
  }
  void OnRelayWritable() override {
    {
      MutexLock lock(mutex_);
      if (!unwritten_.has_value() || !relay_->Write(ViewOf(*unwritten_))) return;
      unwritten_.reset();
    }
    this->ResumeReading();
  }
  void OnHalfClosed() override { relay_->Finish(); }

  void OnRelayed(std::string_view message) override {
    MutexLock lock(mutex_);
    if (Say(message)) return;
    unsaid_ = message;
    relay_->PauseReading();
  }
  void OnWritable() override {
    {
      MutexLock lock(mutex_);
      if (!unsaid_.has_value() || !Say(*unsaid_)) return;
      unsaid_.reset();
    }
    relay_->ResumeReading();
  }
  // False: there is no room. What comes when the stream is closed is said to nobody.
  bool Say(std::string_view message) {
    return !absl::IsResourceExhausted(this->PostEncoded(
        message.size(),
        [message](Encoded<Response>& next) { next.mutable_bytes().append(message); }));
  }

  // What the other one said before an error is for the client all the same, if it reads.
  void OnRelayEnded(const absl::Status& status) override {
    status.ok() ? this->Close(status) : this->CloseSoon(status);
  }
  void OnEnded(const absl::Status&) override {
    relay_->Cancel();
    on_ended_();
  }

  Call* const call_;
  Forwarder& forwarder_;
  const RelayTarget target_;
  const std::function<void()> on_ended_;
  std::shared_ptr<Relay> relay_;  // From Start on; nothing but its end comes before a request.
  std::string token_;             // That goes with the next request.

  Mutex mutex_;
  // What waits for room, one way and the other.
  std::optional<grpc::Slice> unwritten_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::string> unsaid_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_RELAYED_STREAM_H_
