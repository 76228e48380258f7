#include "services/platform/rpc/call_queue.h"

#include <pthread.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KANTOKU_TSAN
#endif
#endif
#ifdef KANTOKU_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace kantoku::platform {
namespace {

// gRPC hands what it completes from thread to thread by locks that TSan does not see.
void SayReleased([[maybe_unused]] void* tag) {
#ifdef KANTOKU_TSAN
  __tsan_release(tag);
#endif
}
void SayAcquired([[maybe_unused]] void* tag) {
#ifdef KANTOKU_TSAN
  __tsan_acquire(tag);
#endif
}

}  // namespace

void* Completion::tag() {
  SayReleased(this);
  return this;
}

void CallQueue::Start() {
  thread_ = std::thread([this] { Run(); });
}

void CallQueue::Run() {
  ::pthread_setname_np(::pthread_self(), "rpc");
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    SayAcquired(tag);
    static_cast<Completion*>(tag)->OnCompleted(ok);
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
