#include "tests/chaos/soak/plan.h"

#include <algorithm>

#include "tests/chaos/soak/dice.h"

namespace kantoku::soak {
namespace {

// The load comes up first.
constexpr absl::Duration kFirst = absl::Seconds(1);
constexpr absl::Duration kShortestPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Milliseconds(700);

class LanePlan {
 public:
  LanePlan(uint64_t seed, std::vector<size_t> cards, const std::vector<FaultShape>& faults)
      : dice_(seed), cards_(std::move(cards)), faults_(faults) {}

  void Fill(absl::Duration length, std::vector<Planned>& plan) {
    absl::Duration now = kFirst;
    while (!cards_.empty()) {
      const size_t fault = Draw();
      const absl::Duration hold = dice_.Between(faults_[fault].shortest, faults_[fault].longest);
      if (now + hold > length) return;
      plan.push_back({.fault = fault, .from = now, .to = now + hold});
      now += hold + dice_.Between(kShortestPause, kLongestPause);
    }
  }

 private:
  size_t Draw() {
    if (drawn_ == cards_.size() || drawn_ == 0) {
      dice_.Shuffle(cards_);
      drawn_ = 0;
    }
    return cards_[drawn_++];
  }

  Dice dice_;
  std::vector<size_t> cards_;
  const std::vector<FaultShape>& faults_;
  size_t drawn_ = 0;
};

}  // namespace

std::vector<Planned> MakePlan(uint64_t seed, absl::Duration length,
                              const std::vector<FaultShape>& faults) {
  std::vector<Planned> plan;
  for (const Lane lane : {Lane::kProcess, Lane::kNetwork, Lane::kDisk}) {
    std::vector<size_t> cards;
    for (size_t i = 0; i < faults.size(); ++i) {
      if (faults[i].lane == lane) cards.push_back(i);
    }
    LanePlan(seed * 3 + static_cast<uint64_t>(lane), cards, faults).Fill(length, plan);
  }
  std::stable_sort(plan.begin(), plan.end(),
                   [](const Planned& a, const Planned& b) { return a.from < b.from; });
  return plan;
}

}  // namespace kantoku::soak
