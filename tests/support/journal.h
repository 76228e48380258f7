#ifndef KANTOKU_TESTS_SUPPORT_JOURNAL_H_
#define KANTOKU_TESTS_SUPPORT_JOURNAL_H_

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/mutex.h"

namespace kantoku::platform {

// Lines that other threads leave for a test.
//
// Thread-safe.
class Journal {
 public:
  using Lines = std::vector<std::string>;

  void Add(std::string line) {
    {
      MutexLock lock(mu_);
      lines_.push_back(std::move(line));
    }
    added_.SignalAll();
  }

  Lines lines() const {
    MutexLock lock(mu_);
    return lines_;
  }

  // Waits until there are `count` lines, and returns all there are; fewer after a very long time.
  Lines Await(size_t count) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    MutexLock lock(mu_);
    while (lines_.size() < count && std::chrono::steady_clock::now() < give_up) {
      added_.WaitFor(mu_, std::chrono::seconds(1));
    }
    return lines_;
  }

 private:
  mutable Mutex mu_;
  mutable CondVar added_;
  Lines lines_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_SUPPORT_JOURNAL_H_
