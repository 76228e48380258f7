#ifndef KANTOKU_SERVICES_PLATFORM_RPC_STREAM_CALL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_STREAM_CALL_H_

#include <grpcpp/alarm.h>
#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/call_queue.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/stream_watch.h"

namespace kantoku::platform {

// One streaming call, as its method sees it: the method accepts it with a handler, or refuses it.
//
// Guarantees: the handler's functions are called one at a time, on the thread of the call's queue;
// OnDone last, after which the call is gone. They must not block.
//
// Thread-safe. At most one read and one write are under way at a time, and none is started after
// Finish, which is called once.
class StreamCall : public Call, private StreamWatch::Stream {
 public:
  class Handler {
   public:
    virtual void OnReadDone(bool ok) { static_cast<void>(ok); }
    virtual void OnWriteDone(bool ok) = 0;
    virtual void OnCancel() = 0;  // The client left. Finish is still to be called, if it was not.
    // Whoever made the call is let in no more: Finish is to be called with this status soon, if it
    // was not, without whatever else was to be written. After a second the call is cancelled.
    virtual void OnRefused(const absl::Status& why) = 0;
    // As StreamWatch::Stream::WantToken; what the client shows then goes to RenewToken.
    virtual void OnTokenWanted(absl::Duration within) { static_cast<void>(within); }
    virtual void OnDone() = 0;

   protected:
    ~Handler() = default;
  };

  void Accept(Handler& handler) { handler_ = &handler; }
  // The handler hands it on, as it came, to who accepts or refuses it before anything else happens:
  // from a function of the handler, which nothing calls any more.
  void Release() { handler_ = nullptr; }
  // Instead of Accept and all else. It is counted as one that was open.
  void Refuse(CallMonitor::Method& method, const absl::Status& status) {
    method.StreamOpened();
    method.StreamEnded(status);
    Finish(status);
  }

  // Lets the gate look after it while it lasts. Once, before its method gets it.
  void Watch(const Gate& gate) {
    gate_ = &gate;
    watch_ = gate.Watch(*this, *identity());
  }
  // As Gate::Renew. From the functions of the handler.
  absl::Status RenewToken(std::string_view token) { return gate_->Renew(*watch_, *this, token); }

  // Finish is to be called soon: if the call is not over a second later, because its client does
  // not read what was written, it is cancelled.
  void EndSoon() { gate_->EndSoon(*watch_); }

  void Finish(const absl::Status& status) {
    if (!status.ok()) NoteRefusal(status);
    finished_.Start([&](void* tag) { DoFinish(ToGrpc(status), tag); });
  }

 protected:
  explicit StreamCall(ServerCallQueue& queue) : queue_(queue) {
    over_.Start([this](void* tag) { AsyncNotifyWhenDone(tag); });
  }
  ~StreamCall() override = default;

  // Gives it to its method.
  virtual void OnCame() = 0;
  virtual void DoFinish(const grpc::Status& status, void* tag) = 0;

  // Each calls `operation(tag)`, which starts the operation.
  template <typename Operation>
  void Come(Operation operation) {
    came_.Start(std::move(operation));
  }
  template <typename Operation>
  void Read(Operation operation) {
    Begin(read_, std::move(operation));
  }
  template <typename Operation>
  void Write(Operation operation) {
    Begin(written_, std::move(operation));
  }

  ServerCallQueue& queue_;

 private:
  // One kind of operation.
  class Event final : public Completion {
   public:
    Event(StreamCall& call, void (StreamCall::*run)(bool)) : call_(call), run_(run) {}
    void OnCompleted(bool ok) override { (call_.*run_)(ok); }

   private:
    StreamCall& call_;
    void (StreamCall::*const run_)(bool);
  };

  // What the gate has to tell the handler.
  struct News {
    std::optional<absl::Status> refusal;
    std::optional<absl::Duration> token_wanted;
  };

  void WantToken(absl::Duration within) final {
    Tell([&](News& news) { news.token_wanted = within; });
  }
  void Refuse(const absl::Status& why) final {
    Tell([&](News& news) { news.refusal = why; });
  }
  void Cancel() final { TryCancel(); }

  // By an alarm that goes off at once, for the handler belongs to the queue's thread.
  template <typename Add>
  void Tell(Add add) {
    MutexLock lock(news_mutex_);
    add(news_);
    if (telling_ || !BeginUnlessOver()) return;
    telling_ = true;
    grpc::Alarm& alarm = alarm_.emplace();
    told_.Start([&](void* tag) { alarm.Set(queue_.get(), std::chrono::system_clock::now(), tag); });
  }
  void Told(bool) {
    News news;
    {
      MutexLock lock(news_mutex_);
      news = std::exchange(news_, {});
      telling_ = false;
    }
    if (handler_ != nullptr && news.token_wanted.has_value()) {
      handler_->OnTokenWanted(*news.token_wanted);
    }
    if (handler_ != nullptr && news.refusal.has_value()) handler_->OnRefused(*news.refusal);
    End();
  }

  bool BeginUnlessOver() {
    int open = open_.load(std::memory_order_relaxed);
    while (open > 0) {
      if (open_.compare_exchange_weak(open, open + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  template <typename Operation>
  void Begin(Event& event, Operation operation) {
    open_.fetch_add(1, std::memory_order_relaxed);
    event.Start(std::move(operation));
  }

  void Came(bool ok) {
    if (!ok) {  // The server stopped; of a call that never came nothing else comes.
      delete this;
      return;
    }
    queue_.CallBegan();
    OnCame();
  }
  void ReadDone(bool ok) {
    handler_->OnReadDone(ok);
    End();
  }
  void WriteDone(bool ok) {
    handler_->OnWriteDone(ok);
    End();
  }
  void Over(bool) {
    if (handler_ != nullptr && IsCancelled()) handler_->OnCancel();
    End();
  }
  void Finished(bool) { End(); }

  void End() {
    if (open_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    if (watch_ != nullptr) watch_->Forget();
    Handler* const handler = handler_;
    ServerCallQueue& queue = queue_;
    if (handler != nullptr) handler->OnDone();
    delete this;
    queue.CallEnded();
  }

  Handler* handler_ = nullptr;
  std::atomic<int> open_ = 2;  // Operations that did not come back: at first Over and Finished.
  Event came_{*this, &StreamCall::Came};
  Event read_{*this, &StreamCall::ReadDone};
  Event written_{*this, &StreamCall::WriteDone};
  Event over_{*this, &StreamCall::Over};
  Event finished_{*this, &StreamCall::Finished};
  Event told_{*this, &StreamCall::Told};

  const Gate* gate_ = nullptr;
  std::shared_ptr<StreamWatch> watch_;

  Mutex news_mutex_;
  News news_ ABSL_GUARDED_BY(news_mutex_);
  bool telling_ ABSL_GUARDED_BY(news_mutex_) = false;  // The alarm is set.
  std::optional<grpc::Alarm> alarm_ ABSL_GUARDED_BY(news_mutex_);
};

// Both sides send many messages. A message given to StartRead or StartWrite lives until that is
// done.
template <typename Request, typename Response>
class BidiCall final : public StreamCall {
 public:
  struct Method {
    std::function<void(BidiCall&, ServerCallQueue&, void* tag)> ask;
    std::function<void(BidiCall*)> handle;
  };

  static void Expect(const Method& method, ServerCallQueue& queue) {
    auto* const call = new BidiCall(method, queue);
    call->Come([&](void* tag) { method.ask(*call, queue, tag); });
  }

  void StartRead(Request* request) {
    Read([&](void* tag) { stream.Read(request, tag); });
  }
  void StartWrite(const Response* response) {
    Write([&](void* tag) { stream.Write(*response, tag); });
  }

  grpc::ServerAsyncReaderWriter<Response, Request> stream{this};

 private:
  BidiCall(const Method& method, ServerCallQueue& queue) : StreamCall(queue), method_(method) {}
  ~BidiCall() override = default;

  void OnCame() override {
    method_.handle(this);
    Expect(method_, queue_);
  }
  void DoFinish(const grpc::Status& status, void* tag) override { stream.Finish(status, tag); }

  const Method& method_;
};

// The client sends one message, the server many.
template <typename Request, typename Response>
class ServerStreamCall final : public StreamCall {
 public:
  struct Method {
    std::function<void(ServerStreamCall&, ServerCallQueue&, void* tag)> ask;
    std::function<void(ServerStreamCall*, const Request*)> handle;
  };

  static void Expect(const Method& method, ServerCallQueue& queue) {
    auto* const call = new ServerStreamCall(method, queue);
    call->Come([&](void* tag) { method.ask(*call, queue, tag); });
  }

  // gRPC encodes the message before this returns: it may go then.
  void StartWrite(const Response* response) {
    Write([&](void* tag) { stream.Write(*response, tag); });
  }

  Request request;
  grpc::ServerAsyncWriter<Response> stream{this};

 private:
  ServerStreamCall(const Method& method, ServerCallQueue& queue)
      : StreamCall(queue), method_(method) {}
  ~ServerStreamCall() override = default;

  void OnCame() override {
    method_.handle(this, &request);
    Expect(method_, queue_);
  }
  void DoFinish(const grpc::Status& status, void* tag) override { stream.Finish(status, tag); }

  const Method& method_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_STREAM_CALL_H_
