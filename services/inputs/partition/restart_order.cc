#include "services/inputs/partition/restart_order.h"

#include <queue>
#include <tuple>

#include "absl/container/flat_hash_map.h"

namespace kantoku::inputs {

std::vector<size_t> RestartOrder(std::span<const DeadTask> dead) {
  absl::flat_hash_map<TaskId, size_t> places;
  for (size_t i = 0; i < dead.size(); ++i) places.emplace(dead[i].id, i);
  std::vector<std::vector<size_t>> dependents(dead.size());
  std::vector<size_t> waits_for(dead.size());
  for (size_t i = 0; i < dead.size(); ++i) {
    for (const Dependency& dependency : dead[i].dependencies) {
      const auto place = places.find(dependency.task);
      if (place == places.end() || place->second == i) continue;
      dependents[place->second].push_back(i);
      ++waits_for[i];
    }
  }
  const auto comes_later = [dead](size_t a, size_t b) {
    const auto rank = [dead](size_t i) {
      return std::tuple(dead[i].id.time(), dead[i].id.key(), i);
    };
    return rank(a) > rank(b);
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(comes_later)> ready(comes_later);
  for (size_t i = 0; i < dead.size(); ++i) {
    if (waits_for[i] == 0) ready.push(i);
  }
  std::vector<size_t> order;
  order.reserve(dead.size());
  while (!ready.empty()) {
    const size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const size_t dependent : dependents[next]) {
      if (--waits_for[dependent] == 0) ready.push(dependent);
    }
  }
  // No task depends on itself, but a record may be damaged.
  for (size_t i = 0; i < dead.size(); ++i) {
    if (waits_for[i] > 0) order.push_back(i);
  }
  return order;
}

}  // namespace kantoku::inputs
