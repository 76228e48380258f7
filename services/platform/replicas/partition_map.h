#ifndef KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_MAP_H_
#define KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_MAP_H_

#include <cstdint>
#include <string>

namespace kantoku::platform {

// Where the partitions of a component are, as this replica knows it now.
//
// Thread-safe.
class PartitionMap {
 public:
  virtual ~PartitionMap() = default;

  // How many there are. Never changes.
  virtual uint32_t count() const = 0;

  // Slots (ids.h) are dealt out to the partitions in turn.
  uint32_t OfSlot(uint32_t slot) const { return slot % count(); }

  // Where calls about a partition go. Neither here nor with an address: to nobody for the moment;
  // repeat. What is not here is not to be answered here, whatever this process remembers of it.
  struct Place {
    bool here = false;
    std::string address;  // Of the replica that has it.
  };
  virtual Place Find(uint32_t partition) const = 0;
};

// All partitions are this process's for good.
class AllHere final : public PartitionMap {
 public:
  explicit AllHere(uint32_t count) : count_(count) {}
  uint32_t count() const override { return count_; }
  Place Find(uint32_t) const override { return {.here = true}; }

 private:
  const uint32_t count_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_MAP_H_
