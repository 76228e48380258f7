#include "tests/simulation/world/rules.h"

#include <algorithm>

#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

using inputs::OnFailure;
using inputs::TaskState;

void Rules::Created(const platform::TaskId& id, std::string_view name_space, std::string_view owner,
                    const inputs::TaskSpec& spec) {
  if (spec.keys == nullptr && spec.dependencies.empty()) return;
  living_[id.key()] = {.name_space = std::string(name_space),
                       .owner = std::string(owner),
                       .type = spec.type,
                       .keys = spec.keys,
                       .dependencies = spec.dependencies};
}

void Rules::Dispatched(TaskKey task) {
  const auto found = living_.find(task);
  if (found == living_.end()) return;
  dispatched_.push_back(task);
  if (found->second.keys != nullptr) TakeTokens(found->second);
}

void Rules::TakeTokens(const Ruled& task) {
  for (const auto& rate : task.keys->rates) {
    const auto [entry, made] = buckets_.try_emplace(task.name_space);
    Bucket& bucket = entry->second;
    const double passed = absl::ToDoubleSeconds(decided_ - bucket.as_of);
    const double filled = bucket.tokens + passed * kRateTokens / kRateSeconds;
    bucket = {made ? kRateBurst : std::min<double>(kRateBurst, filled), decided_};
    bucket.tokens -= rate.cost;
    scene_.Expect(bucket.tokens > -1e-3, "a rate is never exceeded, whatever the clocks do");
  }
}

void Rules::Ended(const inputs::TaskView& view) {
  ends_[view.id] = view.state;
  const auto found = living_.find(view.id.key());
  const bool gave_up =
      view.last_failure.reason == "DEPENDENCY_FAILED" || view.last_failure.reason == "SKIPPED";
  if (gave_up) {
    scene_.Expect(found != living_.end() && !found->second.dependencies.empty(),
                  "only who depends on others ends for them");
    scene_.Expect(view.dispatch == 0, "who ends for others never ran");
  }
  if (found != living_.end()) living_.erase(found);
}

void Rules::CheckBatch(const std::function<bool(TaskKey)>& runs) {
  for (const TaskKey key : std::exchange(dispatched_, {})) {
    const auto found = living_.find(key);
    if (found == living_.end()) continue;  // It ended in the same batch.
    CheckDependencies(found->second);
    if (found->second.keys == nullptr) continue;
    CheckOrder(key, found->second);
    CheckLimits(found->second, runs);
  }
}

void Rules::CheckDependencies(const Ruled& task) const {
  for (const inputs::Dependency& dependency : task.dependencies) {
    const auto end = ends_.find(dependency.task);
    scene_.Expect(end != ends_.end(), "a task runs after all that it depends on");
    scene_.Expect(end == ends_.end() || end->second == TaskState::kSucceeded ||
                      dependency.on_failure == OnFailure::kRun,
                  "a task does not run after what failed, unless it wants to");
  }
}

void Rules::CheckOrder(TaskKey key, const Ruled& task) const {
  if (task.keys->ordering.empty()) return;
  for (const auto& [other, ruled] : living_) {
    if (other >= key) break;
    if (ruled.keys == nullptr || ruled.name_space != task.name_space) continue;
    scene_.Expect(ruled.keys->ordering != task.keys->ordering,
                  "tasks of an ordering key run one after the other, in spawn order");
  }
}

bool Rules::Names(const Ruled& task, std::string_view name_space, std::string_view key,
                  inputs::KeyScope scope, std::string_view whose) {
  if (task.keys == nullptr || task.name_space != name_space) return false;
  return std::ranges::any_of(task.keys->concurrency, [&](const auto& named) {
    return named.name == key && named.scope == scope &&
           inputs::WhoseOf(named.scope, task.owner, task.type) == whose;
  });
}

bool Rules::Shares(const Ruled& task, const Ruled& other,
                   const inputs::TaskKeys::Concurrency& key) {
  const std::string whose = inputs::WhoseOf(key.scope, task.owner, task.type);
  return Names(other, task.name_space, key.name, key.scope, whose);
}

void Rules::CheckSlots(std::string_view name_space, const inputs::LimitView& limit,
                       const std::function<bool(TaskKey)>& runs,
                       const std::function<bool(TaskKey)>& dispatched) const {
  if (limit.name.kind != inputs::KeyKind::kConcurrency) return;
  uint64_t least = 0;
  uint64_t most = 0;
  bool saves = false;  // One of several keys that is not dispatched yet may save up.
  for (const auto& [key, task] : living_) {
    if (!Names(task, name_space, limit.name.key, limit.name.scope, limit.name.of)) continue;
    if (runs(key)) ++least;
    if (dispatched(key)) {
      ++most;
    } else {
      saves |= task.keys->concurrency.size() + task.keys->rates.size() > 1;
    }
  }
  scene_.Expect(limit.running >= least, "whoever runs has its slot");
  scene_.Expect(limit.running <= most + (saves ? 1 : 0), "no slot outlives its task");
}

void Rules::CheckLimits(const Ruled& task, const std::function<bool(TaskKey)>& runs) const {
  for (const auto& key : task.keys->concurrency) {
    uint32_t running = 0;
    for (const auto& [other, ruled] : living_) {
      if (Shares(task, ruled, key) && runs(other)) ++running;
    }
    scene_.Expect(running <= key.limit, "a concurrency limit is never exceeded");
  }
}

}  // namespace kantoku::simulation
