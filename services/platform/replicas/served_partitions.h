#ifndef KANTOKU_SERVICES_PLATFORM_REPLICAS_SERVED_PARTITIONS_H_
#define KANTOKU_SERVICES_PLATFORM_REPLICAS_SERVED_PARTITIONS_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "services/platform/mutex.h"

namespace kantoku::platform {

// What serves the partitions that are open in this process, by their numbers. Who has found one
// keeps it alive; that it was taken away meanwhile it says by itself.
//
// Thread-safe.
template <typename Served>
class ServedPartitions {
 public:
  explicit ServedPartitions(uint32_t count) : served_(count) {}

  // Null: it is not open.
  std::shared_ptr<Served> Find(uint32_t partition) const {
    MutexLock lock(mutex_);
    return served_.at(partition);
  }
  std::vector<std::shared_ptr<Served>> All() const {
    MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Served>> all;
    for (const auto& each : served_) {
      if (each != nullptr) all.push_back(each);
    }
    return all;
  }

  void Put(uint32_t partition, std::shared_ptr<Served> served) {
    MutexLock lock(mutex_);
    served_.at(partition) = std::move(served);
  }
  std::shared_ptr<Served> Take(uint32_t partition) {
    MutexLock lock(mutex_);
    return std::exchange(served_.at(partition), nullptr);
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::shared_ptr<Served>> served_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_REPLICAS_SERVED_PARTITIONS_H_
