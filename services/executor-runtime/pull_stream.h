#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/rpc/stream_token.h"

namespace kantoku::executor {

// One connection of a session: reads frames one after the other, writes one at a time.
//
// Whoever has something to say claims the write (Claim, under a lock of the listener's own, so that
// there is one at a time and none after OnBroken), fills `request`, and calls Write outside of it.
//
// The listener hears everything on the queue's thread, OnClosed last of all.
class PullStream final : private platform::ClientStream::Handler {
 public:
  class Listener {
   public:
    virtual ~Listener() = default;
    // The frame is the listener's until it returns.
    virtual void OnFrame(PullStream& stream, inputs::v1::PullResponse& frame) = 0;
    // `request` may be claimed again.
    virtual void OnWritten(PullStream& stream) = 0;
    // No frame comes any more and none shall be claimed from here on.
    virtual void OnBroken(PullStream& stream) = 0;
    // How the connection ended. Nothing is heard of it afterwards.
    virtual void OnClosed(PullStream& stream, const absl::Status& status) = 0;
  };

  // To be opened in any case. Lives at least until OnClosed; all arguments outlive it. `tokens` are
  // those of the stub's channel; null: it has none.
  static std::shared_ptr<PullStream> Make(inputs::v1::InputsService::StubInterface& stub,
                                          std::shared_ptr<platform::TokenSource> tokens,
                                          platform::CallQueue& queue, Listener& listener);

  // Begins to connect, with the first write, which is claimed before and made right afterwards.
  void Open();
  // Ends the connection soon, by OnBroken and OnClosed.
  void Cancel() { stream_.Cancel(); }

  // In answer to a frame with token_wanted: what to say as access_token; empty: nothing yet. From
  // OnFrame, without a lock.
  std::string NewerToken() { return token_.Newer(); }

  inputs::v1::PullRequest& request() { return request_; }
  void Claim() { stream_.Claim(); }
  void Write() { stream_.StartWrite(request_); }
  // Instead of Write: tells Inputs that nothing more will come.
  void HangUp() { stream_.StartWritesDone(); }

 private:
  PullStream(inputs::v1::InputsService::StubInterface& stub,
             std::shared_ptr<platform::TokenSource> tokens, platform::CallQueue& queue,
             Listener& listener)
      : stub_(stub), token_(std::move(tokens)), listener_(listener), stream_(queue, *this) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const absl::Status& status) override;

  inputs::v1::InputsService::StubInterface& stub_;
  platform::StreamToken token_;
  Listener& listener_;
  platform::ClientBidiStream<inputs::v1::PullRequest, inputs::v1::PullResponse> stream_;
  inputs::v1::PullRequest request_;
  inputs::v1::PullResponse response_;
  std::shared_ptr<PullStream> self_;  // Until OnDone.
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_
