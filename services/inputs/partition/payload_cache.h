#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_PAYLOAD_CACHE_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_PAYLOAD_CACHE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/partition/spawn_batch.h"

namespace kantoku::inputs {

// Payloads of waiting tasks, from spawn to first dispatch. Holds the encoded specs of whole calls,
// each until its last task has left. What is not here is in the store.
//
// Thread-compatible.
class PayloadCache {
 public:
  // Lives on its own.
  struct Payload {
    std::shared_ptr<const SpecBytes> batch;
    std::string_view content_type;
    std::string_view payload;
  };

  explicit PayloadCache(size_t budget) : budget_(budget) {}

  // `created` are the indexes of the specs that became tasks; theirs are the keys from `first` on.
  void Add(TaskKey first, std::shared_ptr<const SpecBytes> batch, std::vector<uint32_t> created);
  // Takes a task's payload out; nullopt when it is not here.
  std::optional<Payload> Take(TaskKey task);
  // Lets go of a batch, which the store must hold by now.
  void Drop(TaskKey first);

  bool over_budget() const { return bytes_ > budget_; }
  // Of memory, about.
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::shared_ptr<const SpecBytes> batch;
    std::vector<uint32_t> created;
    size_t left;
  };
  using Entries = absl::btree_map<TaskKey, Entry>;

  static size_t SizeOf(const Entry& entry);
  void Erase(Entries::iterator entry);

  const size_t budget_;
  size_t bytes_ = 0;
  Entries entries_;  // By first key.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_PAYLOAD_CACHE_H_
