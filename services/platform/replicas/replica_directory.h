#ifndef KANTOKU_SERVICES_PLATFORM_REPLICAS_REPLICA_DIRECTORY_H_
#define KANTOKU_SERVICES_PLATFORM_REPLICAS_REPLICA_DIRECTORY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// A process that serves some of a component's partitions, others being served by its like.
struct Replica {
  std::string id;        // Of this start of the process: no other ever has it.
  std::string address;   // Where the others reach it, "host:port".
  bool leaving = false;  // It gives away what it has, and takes nothing.

  friend bool operator==(const Replica&, const Replica&) = default;
};

// FAILED_PRECONDITION: the reason of whoever takes a component for one of another number.
inline constexpr std::string_view kPartitionCountDiffers = "PARTITION_COUNT_DIFFERS";

// What all replicas of a component see.
struct ReplicaView {
  std::vector<Replica> living;      // In the order of their ids.
  std::vector<std::string> owners;  // For each partition the id of its replica, which may be dead;
                                    // empty: nobody's.
};

// Where the replicas of one component say that they live, and which partition is whose. It is what
// they agree on, not what keeps two of them from writing: that is the fence of the store, which an
// owner meets when it opens a partition.
//
// Thread-compatible. Errors, of every method: UNAVAILABLE: repeat; FAILED_PRECONDITION: it is not
// as it should be, and stays so (STORE_NOT_MIGRATED, STORE_DENIED, …).
class ReplicaDirectory {
 public:
  virtual ~ReplicaDirectory() = default;

  // How many partitions the component has. Decided when it is asked for the first time, as
  // `wanted`, or as it was before there were replicas; fixed from then on: FAILED_PRECONDITION,
  // PARTITION_COUNT_DIFFERS, when `wanted` is neither that nor 0, which stands for a default.
  virtual absl::StatusOr<uint32_t> CountPartitions(uint32_t wanted) = 0;

  // `self` lives for `lease` from now on, by the directory's own clock. Returns what all see then,
  // `self` among them.
  virtual absl::StatusOr<ReplicaView> Beat(const Replica& self, absl::Duration lease) = 0;

  // Makes `id`, which lives, the owner of a partition that is nobody's, a dead replica's or its own
  // already. False: somebody else who lives has it, or `id` lives no more.
  virtual absl::StatusOr<bool> Claim(std::string_view id, uint32_t partition) = 0;

  // The partition is nobody's, if it was that replica's. Idempotent.
  virtual absl::Status Release(std::string_view id, uint32_t partition) = 0;

  // The replica lives no more, and nothing is its. Idempotent.
  virtual absl::Status Leave(std::string_view id) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_REPLICAS_REPLICA_DIRECTORY_H_
