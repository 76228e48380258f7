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
  for (std::deque<Waiting>* const from : {&waiting_, &later_}) {
    while (!from->empty() && from->front().due <= now && tasks.size() < options_.max_tasks) {
      if (is_awaited(from->front().task)) tasks.push_back(from->front().task);
      from->pop_front();
    }
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

void InputsLookup::AskLater(const TaskId& task, absl::Duration now) {
  later_.push_back({task, now + options_.max_pause});
}

absl::Duration InputsLookup::NextDue() const {
  absl::Duration due = absl::InfiniteDuration();
  if (asking_) return due;
  for (const std::deque<Waiting>* const from : {&waiting_, &later_}) {
    if (!from->empty()) due = std::min(due, from->front().due);
  }
  return std::max(due, not_before_);
}

void InputsLookup::Trim(size_t awaited, IsAwaited is_awaited) {
  if (size() < 2 * awaited + kNotWorthTrimming) return;
  absl::flat_hash_set<TaskId> seen;
  for (std::deque<Waiting>* const from : {&waiting_, &later_}) {
    std::erase_if(*from, [&](const Waiting& waiting) {
      return !is_awaited(waiting.task) || !seen.insert(waiting.task).second;
    });
  }
}

}  // namespace kantoku::outputs
