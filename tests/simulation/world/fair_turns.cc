#include "tests/simulation/world/fair_turns.h"

#include <cmath>
#include <utility>

namespace kantoku::simulation {
namespace {

// Whether nothing but its turn keeps the task waiting, unless somebody asks for it.
bool WaitsForTurnAlone(const inputs::TaskSpec& spec) {
  const bool is_free =
      spec.keys == nullptr ||
      (spec.keys->ordering.empty() && spec.keys->concurrency.empty() && spec.keys->rates.empty());
  return is_free && !spec.not_before.has_value() && spec.dependencies.empty() && spec.root.empty();
}

}  // namespace

FairTurns::Place FairTurns::PlaceOf(std::string_view name_space, const inputs::TaskSpec& spec) {
  Place place{.level = {std::string(name_space), spec.type, spec.priority}};
  if (spec.keys == nullptr || spec.keys->fairness.empty()) return place;
  place.flow = spec.keys->fairness;
  place.weight = spec.keys->weight;
  return place;
}

void FairTurns::InputsStarted() {
  for (auto& [name, level] : levels_) {
    for (auto& [key, flow] : level) flow.turns.clear();
  }
}

void FairTurns::Created(TaskKey task, std::string_view name_space, const inputs::TaskSpec& spec) {
  if (spec.placement != nullptr || !WaitsForTurnAlone(spec)) return;
  created_.emplace(task, PlaceOf(name_space, spec));
}

void FairTurns::Left(TaskKey task) {
  created_.erase(task);
  const auto place = waiting_.find(task);
  if (place == waiting_.end()) return;
  Level& level = levels_[place->second.level];
  const std::string& key = place->second.flow;
  Flow& flow = level[key];
  flow.waiting.erase(task);
  if (flow.waiting.empty()) {
    flow.turns.clear();
    for (auto& [other, others] : level) others.turns.erase(key);
  }
  waiting_.erase(place);
}

void FairTurns::Dispatched(TaskKey task, std::string_view name_space,
                           const inputs::TaskSpec& spec) {
  if (spec.placement == nullptr) dispatched_.emplace_back(task, PlaceOf(name_space, spec));
}

void FairTurns::CheckBatch() {
  for (const auto& [task, place] : std::exchange(dispatched_, {})) {
    TakeTurn(place);
    Left(task);
  }
  for (auto& [task, place] : std::exchange(created_, {})) {
    Flow& flow = levels_[place.level][place.flow];
    flow.waiting.insert(task);
    flow.weight = place.weight;
    waiting_.emplace(task, std::move(place));
  }
}

void FairTurns::TakeTurn(const Place& place) {
  Level& level = levels_[place.level];
  Flow& flow = level[place.flow];
  if (flow.waiting.empty()) return;
  for (auto& [key, other] : level) {
    if (key == place.flow || other.waiting.empty()) continue;
    scene_.coverage.Count(Deed::kTurnsCompared);
    const double own = 1.0 / flow.weight;
    const double others = 1.0 / other.weight;
    const double ahead = own * static_cast<double>(++flow.turns[key]) -
                         others * static_cast<double>(other.turns[place.flow]);
    scene_.Expect(ahead <= own + others + 1e-6,
                  "fairness keys that wait are no more than one turn of each apart");
  }
}

}  // namespace kantoku::simulation
