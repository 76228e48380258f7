#include "services/platform/rpc/unknown_calls.h"

namespace kantoku::platform {
namespace {

// Waits for a call, refuses it, and is gone when that has been sent.
class UnknownCall final : public Completion {
 public:
  static void Expect(grpc::AsyncGenericService& unknown, ServerCallQueue& queue) {
    auto* const call = new UnknownCall(unknown, queue);
    call->Start([&](void* tag) {
      unknown.RequestCall(&call->context_, &call->stream_, queue.get(), queue.get(), tag);
    });
  }

 private:
  UnknownCall(grpc::AsyncGenericService& unknown, ServerCallQueue& queue)
      : unknown_(unknown), queue_(queue) {}

  void OnCompleted(bool ok) override {
    if (came_) {
      ServerCallQueue& queue = queue_;
      delete this;
      return queue.CallEnded();
    }
    if (!ok) {  // The server stopped.
      delete this;
      return;
    }
    came_ = true;
    queue_.CallBegan();
    Expect(unknown_, queue_);
    Start([this](void* tag) {
      stream_.Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "there is no such method here"),
                     tag);
    });
  }

  grpc::AsyncGenericService& unknown_;
  ServerCallQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  bool came_ = false;
};

}  // namespace

void RefuseUnknownCalls(grpc::AsyncGenericService& unknown, ServerCallQueue& queue) {
  UnknownCall::Expect(unknown, queue);
}

}  // namespace kantoku::platform
