#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_CHECKPOINT_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_CHECKPOINT_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/inputs/engine/types.h"
#include "services/platform/store/record_store.h"

namespace kantoku::inputs {

// What handlers have left to the next dispatches of their tasks: one checkpoint a task, the newest.
// New ones wait a moment for a batch and for newer ones, so that a task that makes many of them
// costs no more than one record in every kPatience. The bytes of those that are recorded are in the
// store alone; here is how large they are.
//
// Thread-compatible.
class CheckpointBook {
 public:
  struct Checkpoint {
    ConnectionId connection = 0;  // Who is to hear that it is recorded.
    TaskId task;
    uint32_t dispatch = 0;
    uint64_t number = 0;  // The executor's own.
    std::string data;     // Empty: there is none any more.
  };
  // How long a checkpoint waits at most.
  static constexpr absl::Duration kPatience = absl::Milliseconds(50);
  // All are recorded at once when those that wait take this much.
  static constexpr size_t kMostWaiting = size_t{4} << 20;

  explicit CheckpointBook(uint64_t max_bytes) : max_bytes_(max_bytes) {}

  // One of the store, while it is recovered.
  void Recover(TaskKey task, size_t bytes);

  // Takes the place of the task's earlier one, recorded or not. RESOURCE_EXHAUSTED,
  // CHECKPOINTS_FULL when those of all tasks would be too much: then the earlier one stays.
  absl::Status Take(Checkpoint checkpoint, absl::Duration now);
  // Whatever waits of this task goes into the next batch: its dispatch ends, or the next begins.
  void Hurry(TaskKey task);
  // The task has ended: its checkpoint goes with this batch.
  void Forget(TaskKey task, platform::WriteBatch& batch);
  // Puts into the batch what is to be in it by now, and names to `recorded` what that was.
  void Write(absl::Duration now, platform::WriteBatch& batch,
             const std::function<void(const Checkpoint&)>& recorded);
  // When Write has something to do next.
  absl::Duration next_time() const { return due_; }

  // Whether the task has one: in the store, once all batches are durable into which it was put.
  bool Has(TaskKey task) const { return sizes_.contains(task); }
  uint64_t bytes() const { return bytes_; }

 private:
  void WriteOne(const Checkpoint& checkpoint, platform::WriteBatch& batch);

  const uint64_t max_bytes_;
  absl::flat_hash_map<TaskKey, uint32_t> sizes_;  // Waiting ones included; none is 0.
  uint64_t bytes_ = 0;                            // All of them.
  absl::flat_hash_map<TaskKey, Checkpoint> waiting_;
  size_t waiting_bytes_ = 0;
  std::vector<TaskKey> hurried_;
  absl::Duration due_ = absl::InfiniteDuration();  // Steady: when all that waits is to be recorded.
  std::string scratch_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_CHECKPOINT_BOOK_H_
