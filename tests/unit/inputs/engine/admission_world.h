#ifndef KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ADMISSION_WORLD_H_
#define KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ADMISSION_WORLD_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/inputs/engine/engine_world.h"

// What tests of admission say often.
namespace kantoku::inputs::testing {

inline TaskSpec Keyed(TaskKeys keys, int32_t priority = 0, const std::string& type = "work") {
  TaskSpec spec = Spec(type, priority);
  spec.keys = std::make_shared<const TaskKeys>(std::move(keys));
  return spec;
}

inline TaskKeys Concurrency(const std::string& name, uint32_t limit = 0) {
  return {.concurrency = {{name, KeyScope::kNamespace, limit}}};
}
inline TaskKeys Throttled(const std::string& name, uint32_t cost, const Rate& rate = {}) {
  return {.rates = {{name, KeyScope::kNamespace, cost, rate}}};
}
inline TaskKeys Ordered(const std::string& name) { return {.ordering = name}; }
inline TaskKeys Fair(const std::string& name, uint32_t weight = 0) {
  return {.fairness = name, .weight = weight};
}

inline KeyName NameOf(KeyKind kind, const std::string& key) {
  return {.kind = kind, .scope = KeyScope::kNamespace, .of = "", .key = key};
}

// In the order of the dispatches of the group that ended last.
inline std::vector<TaskId> Dispatched(const EngineWorld& world) {
  std::vector<TaskId> tasks;
  for (const auto& message : world.last.dispatches) tasks.push_back(message.task);
  return tasks;
}

inline std::vector<TaskId> SpawnAll(EngineWorld& world, const std::vector<TaskSpec>& specs) {
  const auto outcome = world.Spawn(specs);
  REQUIRE(outcome.ok());
  std::vector<TaskId> tasks;
  for (const auto& item : outcome->items) tasks.push_back(item.id);
  world.EndGroup();
  return tasks;
}

// The result of its latest dispatch is in Outputs.
inline void Finish(EngineWorld& world, const TaskId& task) {
  world.engine->Finished(task, world.View(task).dispatch, world.now, world.effects);
  world.EndGroup();
}

inline std::optional<LimitView> LimitOf(const EngineWorld& world, const std::string& key) {
  std::optional<std::string> from;
  for (const LimitView& view : world.engine->Limits("default", 1'000, from, world.now)) {
    if (view.name.key == key) return view;
  }
  return std::nullopt;
}

inline void SetLimit(EngineWorld& world, const std::string& key, uint32_t limit) {
  REQUIRE(Reason(world.engine->SetLimit("default", NameOf(KeyKind::kConcurrency, key),
                                        {.number = limit}, world.now, world.effects)) == "OK");
  world.EndGroup();
}

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ADMISSION_WORLD_H_
