#ifndef KANTOKU_SERVICES_PLATFORM_STORES_PARTITION_SHARE_H_
#define KANTOKU_SERVICES_PLATFORM_STORES_PARTITION_SHARE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/replicas/partition_keeper.h"
#include "services/platform/replicas/partition_map.h"
#include "services/platform/server/module.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// How a component is divided.
enum class Division {
  kBySlot,  // Into as many partitions as its store has been made with.
  kNone,    // Into one: its records have an order.
};

// The partitions of a component that this program serves: all of them or, where it has others like
// it, its share.
//
// Thread-safe but for Open, Start and Stop, which come in this order from one thread.
class PartitionShare {
 public:
  // Asks the store how many partitions there are. `host`, config and environment outlive it. `told`
  // hears of the other replicas when there are others than before. FAILED_PRECONDITION,
  // INVALID_CONFIG where the program has others and this store is not shared, REPLICAS_LIVE where
  // it is said to have none and others share the store; as ReplicaDirectory.
  static absl::StatusOr<std::unique_ptr<PartitionShare>> Make(
      const config::v1::StoreConfig& config, const StoreSchema& schema, Division division,
      PartitionHost& host, Environment& environment,
      std::function<void(const std::vector<Replica>&)> told);
  virtual ~PartitionShare() = default;

  virtual const PartitionMap& map() const = 0;
  // Opens what is ours whatever others do: before the server listens, so that what is wrong with a
  // store is said at once.
  virtual absl::Status Open() = 0;
  // Once others can reach this program, its share.
  virtual absl::Status Start() = 0;
  // Before the program stops: gives its share to the others. False: there are none, and what is
  // ours stays open.
  virtual bool Drain() = 0;
  // Closes everything at once. Idempotent.
  virtual void Stop() = 0;
  virtual absl::Status health() const = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORES_PARTITION_SHARE_H_
