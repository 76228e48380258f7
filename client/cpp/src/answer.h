#ifndef KANTOKU_CLIENT_CPP_SRC_ANSWER_H_
#define KANTOKU_CLIENT_CPP_SRC_ANSWER_H_

#include <optional>
#include <utility>

#include "services/platform/mutex.h"

namespace kantoku::internal {

// A value that one thread waits for and another brings, once.
//
// Thread-safe.
template <typename T>
class Answer {
 public:
  void Set(T value) {
    platform::MutexLock lock(mutex_);
    value_ = std::move(value);
    // Under the lock: whoever waits may destroy this as soon as the lock is free.
    changed_.SignalAll();
  }
  T Take() {
    platform::MutexLock lock(mutex_);
    while (!value_.has_value()) changed_.Wait(mutex_);
    return *std::move(value_);
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::optional<T> value_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_ANSWER_H_
