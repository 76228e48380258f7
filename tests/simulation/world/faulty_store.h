#ifndef KANTOKU_TESTS_SIMULATION_WORLD_FAULTY_STORE_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_FAULTY_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "services/platform/store/forwarding_record_store.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// What happens to the calls of a store; outlives it.
struct StoreFaults {
  // What each fault counts as.
  struct Deeds {
    Deed fails = Deed::kCommitFails;
    Deed unknown = Deed::kCommitUnknown;
    Deed full = Deed::kDiskFull;
    Deed read_fails = Deed::kReadFails;
  };
  Deeds deeds;
  bool calm = false;  // Nothing happens.
  int full_for = 0;   // So many commits more find no room.
  // Told of each batch, once, as soon as it is durable.
  std::function<void(const platform::WriteBatch&)> on_durable;
  uint64_t last_batch = 0;  // The last one that it was told of.
};

// A store on which commits fail, are done but reported as failed, or find the disk full, and reads
// fail.
class FaultyStore final : public platform::ForwardingRecordStore {
 public:
  FaultyStore(const Scene& scene, StoreFaults& faults,
              std::unique_ptr<platform::RecordStore> behind)
      : ForwardingRecordStore(std::move(behind)), scene_(scene), faults_(faults) {}

  absl::Status Commit(const platform::WriteBatch& batch) override;
  absl::Status Read(const platform::RecordKeys& keys, platform::RecordVisitor visit) override;

 private:
  const Scene scene_;
  StoreFaults& faults_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_FAULTY_STORE_H_
