#ifndef KANTOKU_SERVICES_PLATFORM_RPC_BYTE_BUDGET_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_BYTE_BUDGET_H_

#include <atomic>
#include <cstddef>

namespace kantoku::platform {

// Bytes that several users may hold together. Who is about to take some asks whether it is full
// first; so it is passed by what those who ask at once take, and no more.
//
// Thread-safe.
class ByteBudget {
 public:
  explicit ByteBudget(size_t limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  bool full() const { return used() >= limit_; }
  size_t used() const { return used_.load(std::memory_order_relaxed); }

  void Take(size_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void GiveBack(size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const size_t limit_;
  std::atomic<size_t> used_ = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_BYTE_BUDGET_H_
