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
  while (!waiting_.empty() && waiting_.front().due <= now && asked.size() < options_.max_tasks) {
    if (is_awaited(waiting_.front().awaited)) asked.push_back(waiting_.front().awaited);
    waiting_.pop_front();
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

absl::Duration InputsLookup::NextDue() const {
  if (asking_ || waiting_.empty()) return absl::InfiniteDuration();
  return std::max(waiting_.front().due, not_before_);
}

void InputsLookup::Trim(size_t awaited, IsAwaited is_awaited) {
  if (waiting_.size() < 2 * awaited + kNotWorthTrimming) return;
  absl::flat_hash_set<Awaited> seen;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    return !is_awaited(waiting.awaited) || !seen.insert(waiting.awaited).second;
  });
}

}  // namespace kantoku::outputs
