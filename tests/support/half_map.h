#ifndef KANTOKU_TESTS_SUPPORT_HALF_MAP_H_
#define KANTOKU_TESTS_SUPPORT_HALF_MAP_H_

#include <string>
#include <utility>

#include "services/platform/mutex.h"
#include "services/platform/replicas/partition_map.h"

namespace kantoku::test {

// A component of two partitions and two servers, as the one of them sees it that has `mine`.
//
// Thread-safe.
class HalfMap final : public platform::PartitionMap {
 public:
  explicit HalfMap(uint32_t mine) : mine_(mine) {}

  uint32_t mine() const { return mine_; }
  // Where the other one is; until then it is nowhere.
  void SetOther(std::string address) {
    platform::MutexLock lock(mutex_);
    other_ = std::move(address);
  }

  uint32_t count() const override { return 2; }
  Place Find(uint32_t partition) const override {
    if (partition == mine_) return {.here = true};
    platform::MutexLock lock(mutex_);
    return {.address = other_};
  }

 private:
  const uint32_t mine_;
  mutable platform::Mutex mutex_;
  std::string other_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_HALF_MAP_H_
