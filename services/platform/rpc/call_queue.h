#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_

#include <grpcpp/completion_queue.h>

#include <memory>
#include <thread>

#include "services/platform/mutex.h"

namespace kantoku::platform {

// What comes out of a queue: the tag of an operation of gRPC.
class Completion {
 public:
  virtual void OnCompleted(bool ok) = 0;
  void* tag() { return this; }

 protected:
  ~Completion() = default;
};

// A completion queue of a server and the one thread that runs what comes out of it. One, because
// then a message is handled by the thread that gRPC read it on; where several share a queue, as
// behind gRPC's callback API, every event wakes another of them, which costs as much as a small
// message itself (DECISIONS.md).
//
// Thread-safe.
class CallQueue {
 public:
  explicit CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  ~CallQueue() { Stop(); }
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;

  grpc::ServerCompletionQueue* get() { return queue_.get(); }

  void Start();
  // After the server was shut down: waits until the last call has ended, then ends the thread.
  // Idempotent.
  void Stop();

  // Each call that came says when it begins, and when it starts no operation any more.
  void CallBegan();
  void CallEnded();

 private:
  void Run();

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
  Mutex mutex_;
  CondVar calls_end_;
  size_t calls_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CALL_QUEUE_H_
