#include "services/platform/random.h"

#include <sys/random.h>

#include <array>
#include <cstddef>

#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

// Asks the system for many numbers at a time.
class RandomNumbers {
 public:
  uint64_t Next() {
    if (next_ == numbers_.size()) Refill();
    return numbers_[next_++];
  }

 private:
  void Refill() {
    // Up to 256 bytes come whole, whatever signal arrives.
    static_assert(sizeof(numbers_) <= 256);
    KANTOKU_CHECK(::getrandom(numbers_.data(), sizeof(numbers_), 0) == sizeof(numbers_));
    next_ = 0;
  }

  std::array<uint64_t, 32> numbers_;
  size_t next_ = numbers_.size();
};

}  // namespace

uint64_t SystemRandom() {
  thread_local RandomNumbers numbers;
  return numbers.Next();
}

}  // namespace kantoku::platform
