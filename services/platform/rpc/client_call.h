#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CLIENT_CALL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CLIENT_CALL_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/grpc_status.h"

namespace kantoku::platform {

// Waits on `queue` for the answer to a call with one answer that was just begun there
// (`stub.AsyncPut(&context, request, queue.get())`). `done` is called with how it ended, on the
// queue's thread, where it must not block; `response` lives until then, and the context at least
// until `done` begins.
template <typename Response>
void ReceiveAnswer(CallQueue& queue,
                   std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader,
                   Response* response, absl::AnyInvocable<void(const absl::Status&)> done) {
  class Receiver final : public Completion {
   public:
    Receiver(CallQueue& queue, std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader,
             absl::AnyInvocable<void(const absl::Status&)> done)
        : queue_(queue), reader_(std::move(reader)), done_(std::move(done)) {
      queue_.CallBegan();
    }
    void Receive(Response* response) {
      this->Start([&](void* tag) { reader_->Finish(response, &status_, tag); });
    }

   private:
    void OnCompleted(bool) override {
      CallQueue& queue = queue_;
      auto done = std::move(done_);
      const absl::Status status = FromGrpc(status_);
      delete this;  // The reader is the context's, which `done` may drop.
      done(status);
      queue.CallEnded();
    }

    CallQueue& queue_;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Response>> reader_;
    grpc::Status status_;
    absl::AnyInvocable<void(const absl::Status&)> done_;
  };
  (new Receiver(queue, std::move(reader), std::move(done)))->Receive(response);
}

// The client's side of one streaming call: what is common to its kinds.
//
// Guarantees: the handler's functions are called one at a time, on the thread of the queue, where
// they must not block: OnReadDone(false) ends the reading, OnDone comes last, when nothing is under
// way or claimed.
//
// Thread-safe, but one read and one write at a time.
class ClientStream {
 public:
  class Handler {
   public:
    // Not ok: nothing more comes, and no read may be started.
    virtual void OnReadDone(bool ok) = 0;
    // Not ok: the stream is about to end.
    virtual void OnWriteDone(bool ok) { static_cast<void>(ok); }
    // The stream may be destroyed.
    virtual void OnDone(const absl::Status& status) = 0;

   protected:
    ~Handler() = default;
  };

  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // The stream ends soon, as CANCELLED. From any thread, idempotent.
  void Cancel() { context_.TryCancel(); }

 protected:
  // Both outlive it.
  ClientStream(CallQueue& queue, Handler& handler) : queue_(queue), handler_(handler) {}
  virtual ~ClientStream() = default;

  virtual void StartFinish(grpc::Status* status, void* tag) = 0;

  // The stream does not end before the operation that is now to be started has.
  void Claim() { open_.fetch_add(1, std::memory_order_relaxed); }
  // Each calls `operation(tag)`, which starts the operation.
  template <typename Operation>
  void Read(Operation operation) {
    read_.Start(std::move(operation));
  }
  template <typename Operation>
  void Write(Operation operation) {  // Claimed.
    written_.Start(std::move(operation));
  }
  template <typename Operation>
  void Do(Operation operation) {  // Claimed.
    other_.Start(std::move(operation));
  }

  CallQueue& queue_;
  grpc::ClientContext context_;

 private:
  // One kind of operation.
  class Event final : public Completion {
   public:
    Event(ClientStream& stream, void (ClientStream::*run)(bool)) : stream_(stream), run_(run) {}
    void OnCompleted(bool ok) override { (stream_.*run_)(ok); }

   private:
    ClientStream& stream_;
    void (ClientStream::*const run_)(bool);
  };

  void ReadDone(bool ok) {
    handler_.OnReadDone(ok);
    if (!ok) finished_.Start([this](void* tag) { StartFinish(&status_, tag); });
  }
  void WriteDone(bool ok) {
    handler_.OnWriteDone(ok);
    End();
  }
  void Ended(bool) { End(); }

  void End() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    CallQueue& queue = queue_;
    handler_.OnDone(FromGrpc(status_));
    queue.CallEnded();
  }

  Handler& handler_;
  grpc::Status status_;
  std::atomic<int> open_ = 1;  // Operations; those that read, with Finish after them, are one.
  Event read_{*this, &ClientStream::ReadDone};
  Event written_{*this, &ClientStream::WriteDone};
  Event other_{*this, &ClientStream::Ended};
  Event finished_{*this, &ClientStream::Ended};
};

// Both sides send many messages. A message given to StartRead or StartWrite lives until that is
// done.
template <typename Request, typename Response>
class ClientBidiStream final : public ClientStream {
 public:
  ClientBidiStream(CallQueue& queue, Handler& handler) : ClientStream(queue, handler) {}

  // Once, and in any case; `prepare` is the stub's PrepareAsync… of the method. The call leaves
  // with the first message.
  template <typename Prepare>
  void Open(Prepare prepare) {
    queue_.CallBegan();
    context_.set_initial_metadata_corked(true);
    stream_ = prepare(&context_, queue_.get());
    stream_->StartCall(nullptr);
  }
  void StartRead(Response* response) {
    Read([&](void* tag) { stream_->Read(response, tag); });
  }

  // Each write is claimed, at a time when the reading is known not to have ended, and then made:
  // by StartWrite, or by StartWritesDone, after which nothing more is written.
  using ClientStream::Claim;
  void StartWrite(const Request& request) {
    Write([&](void* tag) { stream_->Write(request, tag); });
  }
  void StartWritesDone() {
    Do([this](void* tag) { stream_->WritesDone(tag); });
  }

 private:
  void StartFinish(grpc::Status* status, void* tag) override { stream_->Finish(status, tag); }

  std::unique_ptr<grpc::ClientAsyncReaderWriterInterface<Request, Response>> stream_;
};

// The server alone sends many messages. A message given to StartRead lives until that is done.
template <typename Response>
class ClientReadStream final : public ClientStream {
 public:
  ClientReadStream(CallQueue& queue, Handler& handler) : ClientStream(queue, handler) {}

  // Once, and in any case, followed by a read; `prepare` is the stub's PrepareAsync… of the method
  // with its request.
  template <typename Prepare>
  void Open(Prepare prepare) {
    queue_.CallBegan();
    stream_ = prepare(&context_, queue_.get());
    Claim();
    Do([this](void* tag) { stream_->StartCall(tag); });
  }
  void StartRead(Response* response) {
    Read([&](void* tag) { stream_->Read(response, tag); });
  }

 private:
  void StartFinish(grpc::Status* status, void* tag) override { stream_->Finish(status, tag); }

  std::unique_ptr<grpc::ClientAsyncReaderInterface<Response>> stream_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CLIENT_CALL_H_
