#include "services/platform/rpc/call_queue.h"

#include <pthread.h>

#include "services/platform/after_event.h"

namespace kantoku::platform {

void CallQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CallQueue::Run() {
  ::pthread_setname_np(::pthread_self(), "rpc");
  void* tag = nullptr;
  bool ok = false;
  AfterEvent after;
  while (queue_->Next(&tag, &ok)) {
    Completion::Complete(tag, ok);
    after.Run();
  }
}

void CallQueue::Stop() {
  {
    MutexLock lock(mutex_);
    while (calls_ > 0) calls_end_.Wait(mutex_);
  }
  queue_->Shutdown();
  if (thread_.joinable()) return thread_.join();
  Run();  // What was asked for and never came.
}

void CallQueue::CallBegan() {
  MutexLock lock(mutex_);
  ++calls_;
}

void CallQueue::CallEnded() {
  MutexLock lock(mutex_);
  if (--calls_ == 0) calls_end_.SignalAll();
}

}  // namespace kantoku::platform
