#ifndef KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_

#include <grpcpp/support/async_unary_call.h>

#include <functional>

#include "absl/status/status.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/grpc_status.h"

namespace kantoku::platform {

// One call with one answer, as its method sees it. It ends with Finish, and with it request and
// response.
class UnaryCall : public Call {
 public:
  // Sends the response as it is now, or the error. Once, at any time, from any thread.
  virtual void Finish(const absl::Status& status) = 0;

 protected:
  ~UnaryCall() override = default;
};

// Waits for a call, gives it to its method, and is gone when that has finished it.
template <typename Request, typename Response>
class UnaryCallOf final : public UnaryCall, private Completion {
 public:
  // What all calls of one method share; outlives them.
  struct Method {
    // Asks gRPC for a call of the method.
    std::function<void(UnaryCallOf&, ServerCallQueue&, void* tag)> ask;
    std::function<void(UnaryCall*, const Request*, Response*)> handle;
  };

  static void Expect(const Method& method, ServerCallQueue& queue) {
    auto* const call = new UnaryCallOf(method, queue);
    call->Start([&](void* tag) { method.ask(*call, queue, tag); });
  }

  void Finish(const absl::Status& status) override {
    if (!status.ok()) NoteRefusal(status);
    this->Start([&](void* tag) {
      if (status.ok()) {
        writer.Finish(response, grpc::Status::OK, tag);
      } else {
        writer.FinishWithError(ToGrpc(status), tag);
      }
    });
  }

  Request request;
  Response response;
  grpc::ServerAsyncResponseWriter<Response> writer{this};

 private:
  UnaryCallOf(const Method& method, ServerCallQueue& queue) : method_(method), queue_(queue) {}
  ~UnaryCallOf() override = default;

  void OnCompleted(bool ok) override {
    if (came_) {
      ServerCallQueue& queue = queue_;
      delete this;
      return queue.CallEnded();
    }
    if (!ok) {
      delete this;
      return;
    }
    came_ = true;
    queue_.CallBegan();
    method_.handle(this, &request, &response);
    Expect(method_, queue_);  // Afterwards: this one shall not wait for it.
  }

  const Method& method_;
  ServerCallQueue& queue_;
  bool came_ = false;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_
