#include "services/inputs/partition/checkpoint_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/store.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

void CheckpointBook::Recover(TaskKey task, size_t bytes) {
  if (KANTOKU_PLANTED("checkpoint forgotten in recovery")) return;
  sizes_[task] = static_cast<uint32_t>(bytes);
  bytes_ += bytes;
}

absl::Status CheckpointBook::Take(Checkpoint checkpoint, absl::Duration now) {
  const TaskKey key = checkpoint.task.key();
  const auto known = sizes_.find(key);
  const uint64_t before = known == sizes_.end() ? 0 : known->second;
  const uint64_t size = checkpoint.data.size();
  // One that takes no more than the one before is always taken: nothing gets fuller by it.
  if (size > before && bytes_ - before + size > max_bytes_) {
    return platform::Error(
        absl::StatusCode::kResourceExhausted, "CHECKPOINTS_FULL",
        absl::StrCat("checkpoints: one of ", size, " bytes exceeds the server's limit of ",
                     max_bytes_, " for those of all tasks"));
  }
  bytes_ = bytes_ - before + size;
  if (size == 0) {
    sizes_.erase(key);
  } else {
    sizes_[key] = static_cast<uint32_t>(size);
  }
  Checkpoint& waiting = waiting_[key];
  waiting_bytes_ = waiting_bytes_ - waiting.data.size() + size;
  waiting = std::move(checkpoint);
  due_ = waiting_bytes_ >= kMostWaiting ? now : std::min(due_, now + kPatience);
  return absl::OkStatus();
}

void CheckpointBook::Hurry(TaskKey task) {
  if (waiting_.contains(task)) hurried_.push_back(task);
}

void CheckpointBook::Forget(TaskKey task, platform::WriteBatch& batch) {
  // Also when the last one that was taken says that there is none: that may not be recorded yet.
  const auto waiting = waiting_.find(task);
  const auto known = sizes_.find(task);
  if (waiting == waiting_.end() && known == sizes_.end()) return;
  if (waiting != waiting_.end()) {
    waiting_bytes_ -= waiting->second.data.size();
    waiting_.erase(waiting);
  }
  if (known != sizes_.end()) {
    bytes_ -= known->second;
    sizes_.erase(known);
  }
  batch.Erase(ToKind(RecordKind::kCheckpoint), task);
}

void CheckpointBook::Write(absl::Duration now, platform::WriteBatch& batch,
                           const std::function<void(const Checkpoint&)>& recorded) {
  const std::vector<TaskKey> hurried = std::exchange(hurried_, {});
  if (now >= due_) {
    due_ = absl::InfiniteDuration();
    waiting_bytes_ = 0;
    // In an order of their own, so that equal histories write equal batches.
    std::vector<Checkpoint> all;
    all.reserve(waiting_.size());
    for (auto& [key, checkpoint] : waiting_) all.push_back(std::move(checkpoint));
    waiting_.clear();
    std::ranges::sort(all, {}, [](const Checkpoint& checkpoint) { return checkpoint.task.key(); });
    for (const Checkpoint& checkpoint : all) {
      WriteOne(checkpoint, batch);
      recorded(checkpoint);
    }
    return;
  }
  for (const TaskKey task : hurried) {
    const auto found = waiting_.find(task);
    if (found == waiting_.end()) continue;
    waiting_bytes_ -= found->second.data.size();
    WriteOne(found->second, batch);
    recorded(found->second);
    waiting_.erase(found);
  }
  if (waiting_.empty()) due_ = absl::InfiniteDuration();
}

void CheckpointBook::WriteOne(const Checkpoint& checkpoint, platform::WriteBatch& batch) {
  if (checkpoint.data.empty()) {
    batch.Erase(ToKind(RecordKind::kCheckpoint), checkpoint.task.key());
    return;
  }
  scratch_.clear();
  Encode(StoredCheckpoint{checkpoint.task, checkpoint.dispatch, checkpoint.data}, scratch_);
  batch.Put(ToKind(RecordKind::kCheckpoint), checkpoint.task.key(), scratch_);
}

}  // namespace kantoku::inputs
