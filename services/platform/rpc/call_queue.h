#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>
#include <utility>

#include "services/platform/mutex.h"

namespace kantoku::platform {

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define KANTOKU_THREAD_SANITIZER 1
#endif
#endif

// What comes out of a queue: the end of one operation of gRPC.
class Completion {
 public:
  virtual void OnCompleted(bool ok) = 0;

  // Calls `operation(tag)`, which gives the tag to gRPC. What it and the caller have done before is
  // seen by OnCompleted.
  template <typename Operation>
  void Start(Operation operation) {
    const Handover handover(*this);
    operation(static_cast<void*>(this));
  }
  // Of the operation that gave `tag` to gRPC; for queues.
  static void Complete(void* tag, bool ok) {
    auto* const completion = static_cast<Completion*>(tag);
    { const Handover handover(*completion); }
    completion->OnCompleted(ok);
  }

 protected:
  ~Completion() = default;

 private:
  // Shows the thread sanitizer, which does not see into gRPC, what gRPC orders.
  class Handover {
   public:
#ifdef KANTOKU_THREAD_SANITIZER
    explicit Handover(Completion& completion) : lock_(completion.handover_) {}

   private:
    MutexLock lock_;
#else
    explicit Handover(Completion&) {}
#endif
  };
#ifdef KANTOKU_THREAD_SANITIZER
  Mutex handover_;
#endif
};

// A completion queue and the one thread that runs what comes out of it, and what events lend it
// (after_event.h). One, because then a message is handled by the thread that gRPC read it on; where
// several share a queue, as behind gRPC's callback API, every event wakes another of them, which
// costs as much as a small message itself (DECISIONS.md).
//
// Thread-safe.
class CallQueue {
 public:
  CallQueue() : CallQueue(std::make_unique<grpc::CompletionQueue>()) {}
  ~CallQueue() { Stop(); }
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  grpc::CompletionQueue* get() { return queue_.get(); }

  void Start();
  // Waits until the last call has ended, then ends the thread; no call may begin any more.
  // Idempotent. Not from the queue's own thread.
  void Stop();

  // Each call says when it begins, and when it starts no operation any more.
  void CallBegan();
  void CallEnded();

 protected:
  explicit CallQueue(std::unique_ptr<grpc::CompletionQueue> queue) : queue_(std::move(queue)) {}

 private:
  void Run();

  const std::unique_ptr<grpc::CompletionQueue> queue_;
  std::thread thread_;
  Mutex mutex_;
  CondVar calls_end_;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

// The same for a server, on which calls come in; to be stopped after the server was shut down.
class ServerCallQueue final : public CallQueue {
 public:
  explicit ServerCallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
      : CallQueue(std::move(queue)) {}

  grpc::ServerCompletionQueue* get() {
    return static_cast<grpc::ServerCompletionQueue*>(CallQueue::get());
  }
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_
