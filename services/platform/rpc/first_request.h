#ifndef KANTOKU_SERVICES_PLATFORM_RPC_FIRST_REQUEST_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_FIRST_REQUEST_H_

#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/stream_call.h"
#include "services/platform/status.h"

namespace kantoku::platform {

// A bidirectional call whose first request is still to come, because that says what is to become of
// the call. ReadFirst makes one.
//
// Until then a call does not count as an open stream, and its client is not asked for newer tokens.
// One that ends before ends as a stream does on which nothing was said: OK, or CANCELLED, when its
// client says no more or leaves, or with why that is let in no more.
//
// Thread-safe. Owns itself until the call is handed on or has ended; others may hold it longer.
template <typename Request, typename Response>
class FirstRequest final : public std::enable_shared_from_this<FirstRequest<Request, Response>>,
                           private StreamCall::Handler {
 public:
  using Call = BidiCall<Request, Response>;
  using Got = absl::AnyInvocable<void(Call*, Request)>;

  FirstRequest(Call* call, CallMonitor::Method& method, Got got)
      : call_(call), method_(method), got_(std::move(got)) {}

  // Once.
  void Start() {
    {
      MutexLock lock(mutex_);
      self_ = this->shared_from_this();
    }
    call_->Accept(*this);
    call_->StartRead(&request_);
  }

  // Ends the call, unless its first request has come. Idempotent.
  void Close(const absl::Status& status) {
    if (StopWaiting()) call_->Refuse(method_, status);
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    if (!StopWaiting()) return;
    const auto self = TakeSelf();
    call_->Release();
    got_(call_, std::move(request_));
  }
  void OnWriteDone(bool) override {}
  void OnCancel() override {
    Close(Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left"));
  }
  void OnRefused(const absl::Status& why) override { Close(why); }
  void OnDone() override { TakeSelf(); }

  // False: somebody else has, and decides what becomes of the call.
  bool StopWaiting() {
    MutexLock lock(mutex_);
    return std::exchange(waiting_, false);
  }
  std::shared_ptr<FirstRequest> TakeSelf() {
    MutexLock lock(mutex_);
    return std::move(self_);
  }

  Call* const call_;
  CallMonitor::Method& method_;
  Got got_;
  Request request_;  // Belongs to gRPC until it came.

  Mutex mutex_;
  std::shared_ptr<FirstRequest> self_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = true;
};

// Reads the first request of a call, and hands both to `got`, on the thread of the call's queue:
// which, before it returns, has a stream accept the call (CoalescingStream::Start takes the
// request), or refuses it. `got` is not called when the call ends before. Who does not wait for
// ever closes what is returned.
template <typename Request, typename Response>
std::shared_ptr<FirstRequest<Request, Response>> ReadFirst(
    BidiCall<Request, Response>* call, CallMonitor::Method& method,
    typename FirstRequest<Request, Response>::Got got) {
  auto first = std::make_shared<FirstRequest<Request, Response>>(call, method, std::move(got));
  first->Start();
  return first;
}

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_FIRST_REQUEST_H_
