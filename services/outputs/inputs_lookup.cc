#include "services/outputs/inputs_lookup.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;

constexpr size_t kNotWorthTrimming = 10'000;
// Up to a quarter of a pause is drawn at random.
constexpr uint64_t kJitterSteps = 1000;

absl::Duration Shortened(absl::Duration pause, uint64_t random) {
  return pause - pause / 4 * static_cast<int64_t>(random % kJitterSteps) / kJitterSteps;
}

}  // namespace

void InputsLookup::Add(const TaskId& task, absl::Duration now) {
  waiting_.push_back({task, absl::Ceil(now + options_.delay, options_.tick)});
}

std::vector<TaskId> InputsLookup::Take(absl::Duration now, IsAwaited is_awaited) {
  std::vector<TaskId> tasks;
  if (asking_ || now < not_before_) return tasks;
  while (!waiting_.empty() && waiting_.front().due <= now && tasks.size() < options_.max_tasks) {
    if (is_awaited(waiting_.front().task)) tasks.push_back(waiting_.front().task);
    waiting_.pop_front();
  }
  asking_ = !tasks.empty();
  return tasks;
}

void InputsLookup::Succeeded() {
  asking_ = false;
  pause_ = absl::ZeroDuration();
}

void InputsLookup::Failed(std::vector<TaskId> tasks, absl::Duration now, uint64_t random) {
  asking_ = false;
  pause_ = std::clamp(2 * pause_, options_.first_pause, options_.max_pause);
  not_before_ = now + Shortened(pause_, random);
  for (auto task = tasks.rbegin(); task != tasks.rend(); ++task) {
    waiting_.push_front({*task, not_before_});
  }
}

absl::Duration InputsLookup::NextDue() const {
  if (asking_ || waiting_.empty()) return absl::InfiniteDuration();
  return std::max(waiting_.front().due, not_before_);
}

void InputsLookup::Trim(size_t awaited, IsAwaited is_awaited) {
  if (waiting_.size() < 2 * awaited + kNotWorthTrimming) return;
  absl::flat_hash_set<TaskId> seen;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    return !is_awaited(waiting.task) || !seen.insert(waiting.task).second;
  });
}

}  // namespace kantoku::outputs
