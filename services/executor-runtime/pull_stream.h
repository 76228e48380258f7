#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <memory>

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"

namespace kantoku::executor {

// One connection of a session: reads frames one after the other, writes one at a time.
//
// Whoever has something to say claims the write (Claim, under a lock of the listener's own, so that
// there is one at a time and none after OnBroken), fills `request`, and calls Write outside of it.
//
// The listener hears OnFrame, OnWritten and OnBroken from gRPC's threads, OnFrame one after the
// other, and last of all OnClosed.
class PullStream final
    : public grpc::ClientBidiReactor<inputs::v1::PullRequest, inputs::v1::PullResponse> {
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

  // To be opened in any case. Lives at least until OnClosed; both arguments outlive it.
  static std::shared_ptr<PullStream> Make(inputs::v1::InputsService::StubInterface& stub,
                                          Listener& listener);

  // Begins to connect. The first write may be claimed before, and made afterwards.
  void Open();
  // Ends the connection soon, by OnBroken and OnClosed.
  void Cancel() { context_.TryCancel(); }

  inputs::v1::PullRequest& request() { return request_; }
  void Claim() { AddHold(); }
  void Write();
  // Instead of Write: gives the claim back and tells Inputs that nothing more will come.
  void HangUp();

 private:
  explicit PullStream(Listener& listener) : listener_(listener) {}

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;

  Listener& listener_;
  grpc::ClientContext context_;
  inputs::v1::PullRequest request_;
  inputs::v1::PullResponse response_;
  std::shared_ptr<PullStream> self_;  // Until OnDone.
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PULL_STREAM_H_
