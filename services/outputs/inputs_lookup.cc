#include "services/outputs/inputs_lookup.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"

namespace kantoku::outputs {
namespace {

constexpr size_t kNotWorthTrimming = 10'000;
// Up to a quarter of a pause is drawn at random.
constexpr uint64_t kJitterSteps = 1000;

absl::Duration Shortened(absl::Duration pause, uint64_t random) {
  return pause - pause / 4 * static_cast<int64_t>(random % kJitterSteps) / kJitterSteps;
}

}  // namespace

void InputsLookup::Add(const Awaited& awaited, absl::Duration now) {
  waiting_.push_back({awaited, absl::Ceil(now + options_.delay, options_.tick)});
}

std::vector<Awaited> InputsLookup::Take(absl::Duration now, IsAwaited is_awaited) {
  std::vector<Awaited> asked;
  if (asking_ || now < not_before_) return asked;
  for (std::deque<Waiting>* const from : {&waiting_, &later_}) {
    while (!from->empty() && from->front().due <= now && asked.size() < options_.max_tasks) {
      if (is_awaited(from->front().awaited)) asked.push_back(from->front().awaited);
      from->pop_front();
    }
  }
  asking_ = !asked.empty();
  return asked;
}

void InputsLookup::Succeeded() {
  asking_ = false;
  pause_ = absl::ZeroDuration();
}

void InputsLookup::Failed(std::vector<Awaited> asked, absl::Duration now, uint64_t random) {
  asking_ = false;
  pause_ = std::clamp(2 * pause_, options_.first_pause, options_.max_pause);
  not_before_ = now + Shortened(pause_, random);
  for (auto awaited = asked.rbegin(); awaited != asked.rend(); ++awaited) {
    waiting_.push_front({*awaited, not_before_});
  }
}

void InputsLookup::AskLater(const Awaited& awaited, absl::Duration now) {
  later_.push_back({awaited, now + options_.max_pause});
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
  absl::flat_hash_set<Awaited> seen;
  for (std::deque<Waiting>* const from : {&waiting_, &later_}) {
    std::erase_if(*from, [&](const Waiting& waiting) {
      return !is_awaited(waiting.awaited) || !seen.insert(waiting.awaited).second;
    });
  }
}

}  // namespace kantoku::outputs
