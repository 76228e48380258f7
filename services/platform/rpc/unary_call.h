#ifndef KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_

#include <grpcpp/support/async_unary_call.h>

#include <functional>

#include "absl/status/status.h"
#include "services/platform/message_pool.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/received.h"

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
    // Whose messages serve the calls after them.
    MessagePool<Request> requests;
    MessagePool<Response> responses;
  };

  static void Expect(Method& method, ServerCallQueue& queue) {
    auto* const call = new UnaryCallOf(method, queue);
    call->Start([&](void* tag) { method.ask(*call, queue, tag); });
  }

  void Finish(const absl::Status& status) override {
    if (!status.ok()) NoteRefusal(status);
    this->Start([&](void* tag) {
      if (status.ok()) {
        answered_ = true;
        writer.Finish(*response, grpc::Status::OK, tag);
      } else {
        writer.FinishWithError(ToGrpc(status), tag);
      }
    });
  }

  ReusedMessage<Request> request;
  ReusedMessage<Response> response;
  grpc::ServerAsyncResponseWriter<Response> writer{this};

 private:
  UnaryCallOf(Method& method, ServerCallQueue& queue)
      : request(method.requests.Take()),
        response(method.responses.Take()),
        method_(method),
        queue_(queue) {}
  // Of calls that were refused nothing is kept: anybody makes them, and of any size.
  ~UnaryCallOf() override {
    if (!answered_) return;
    const size_t asked = MessageOf(*request).ByteSizeLong();
    const size_t answered = response->ByteSizeLong();
    method_.requests.GiveBack(std::move(request), asked);
    method_.responses.GiveBack(std::move(response), answered);
  }

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
    method_.handle(this, request.get(), response.get());
    Expect(method_, queue_);  // Afterwards: this one shall not wait for it.
  }

  Method& method_;
  ServerCallQueue& queue_;
  bool came_ = false;
  bool answered_ = false;  // With a response.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_UNARY_CALL_H_
