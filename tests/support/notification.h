#ifndef KANTOKU_TESTS_SUPPORT_NOTIFICATION_H_
#define KANTOKU_TESTS_SUPPORT_NOTIFICATION_H_

#include "absl/base/thread_annotations.h"
#include "services/platform/mutex.h"

namespace kantoku::test {

// Something that happens once. As absl::Notification, which Debian's Abseil hides from
// ThreadSanitizer.
//
// Thread-safe.
class Notification {
 public:
  void Notify() {
    platform::MutexLock lock(mu_);
    happened_ = true;
    changed_.SignalAll();
  }
  void Wait() {
    platform::MutexLock lock(mu_);
    while (!happened_) changed_.Wait(mu_);
  }
  bool happened() const {
    platform::MutexLock lock(mu_);
    return happened_;
  }

 private:
  mutable platform::Mutex mu_;
  platform::CondVar changed_;
  bool happened_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_NOTIFICATION_H_
