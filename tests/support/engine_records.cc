#include "tests/support/engine_records.h"

#include <optional>

namespace kantoku::inputs::testing {
namespace {

absl::Time Stored(absl::Time time) { return absl::FromUnixMillis(absl::ToUnixMillis(time)); }
std::optional<absl::Time> Stored(std::optional<absl::Time> time) {
  return time.has_value() ? std::optional(Stored(*time)) : std::nullopt;
}

template <typename Record>
void ApplyTo(std::map<uint64_t, Record>& records, const std::vector<Change<Record>>& changes) {
  for (const auto& change : changes) {
    if (change.record.has_value()) {
      records[change.key] = *change.record;
    } else {
      records.erase(change.key);
    }
  }
}

}  // namespace

void EngineRecords::AddSpecs(const std::string& name_space, const std::string& owner,
                             const std::vector<TaskSpec>& added, const SpawnOutcome& outcome,
                             const Engine* engine) {
  if (outcome.repeated) return;
  for (size_t i = 0; i < added.size(); ++i) {
    const TaskId& id = outcome.items[i].id;
    if (!outcome.items[i].created) continue;
    AddSpec(id, name_space, owner, added[i]);
    specs[id.key()].spec.root = outcome.items[i].root;
    if (engine != nullptr) specs[id.key()].spec.provenance = engine->ProvenanceOf(id);
    for (Dependency& dependency : specs[id.key()].spec.dependencies) {
      if (dependency.task.empty()) dependency.task = outcome.items[dependency.place].id;
      dependency.place = 0;
    }
  }
}

void EngineRecords::AddSpec(const TaskId& id, const std::string& name_space,
                            const std::string& owner, const TaskSpec& spec) {
  specs[id.key()] = {id, name_space, owner, spec};
  specs[id.key()].spec.not_before = Stored(spec.not_before);
}

void EngineRecords::Apply(const Effects& effects) {
  for (const TaskKey key : effects.erased_specs) specs.erase(key);
  ApplyTo(states, effects.states);
  ApplyTo(groups, effects.groups);
  ApplyTo(sessions, effects.sessions);
  ApplyTo(references, effects.references);
  ApplyTo(requests, effects.requests);
  ApplyTo(trees, effects.trees);
  ApplyTo(ended_dependencies, effects.ended_dependencies);
  ApplyTo(routes, effects.routes);
  ApplyTo(blocks, effects.blocks);
  ApplyTo(limits, effects.limits);
  ApplyTo(pauses, effects.pauses);
  ApplyTo(restarts, effects.restarts);
  ApplyTo(infos, effects.infos);
  ApplyTo(reuses, effects.reuses);
  ApplyTo(high_water, effects.high_water);
  ApplyTo(history, effects.history);
  ApplyTo(dead, effects.dead);
}

std::unique_ptr<Engine> EngineRecords::Recover(const EngineOptions& options,
                                               const platform::Now& now, Effects& effects) const {
  const auto stored = [](std::vector<TaskView> tasks) {
    for (TaskView& task : tasks) task.ended_at = Stored(task.ended_at);
    return tasks;
  };
  auto engine = std::make_unique<Engine>(options);
  for (const auto& [slot, reserved] : high_water) {
    engine->RecoverHighWater(static_cast<uint32_t>(slot), reserved);
  }
  for (const auto& [row, tasks] : history) engine->RecoverHistory(row, stored(tasks));
  for (const auto& [row, tasks] : dead) engine->RecoverDead(row, stored(tasks));
  for (const auto& [number, record] : sessions) {
    engine->RecoverSession(static_cast<SessionNumber>(number), record);
  }
  for (const auto& [key, spec] : specs) {
    engine->RecoverTask(spec.id, spec.name_space, spec.owner, spec.spec);
  }
  for (auto [key, record] : states) {
    record.not_before = Stored(record.not_before);
    engine->RecoverState(key, record);
  }
  for (const auto& [number, record] : groups) engine->RecoverGroup(number, record);
  for (const auto& [root, record] : trees) engine->RecoverTree(record);
  for (const auto& [task, record] : ended_dependencies) engine->RecoverEndedDependency(record);
  for (const auto& [task, record] : references) engine->RecoverReference(record);
  for (auto [number, record] : requests) {
    record.created = Stored(record.created);
    engine->RecoverRequest(number, std::move(record));
  }
  for (const auto& [number, record] : routes) engine->RecoverRoute(number, record);
  for (const auto& [number, record] : limits) engine->RecoverLimit(number, record);
  for (const auto& [number, record] : pauses) engine->RecoverPause(number, record);
  for (const auto& [number, block] : blocks) engine->RecoverBlock(number, block);
  for (const auto& [dead_task, record] : restarts) engine->RecoverRestart(dead_task, record);
  for (const auto& [task, info] : infos) engine->RecoverInfo(task, info);
  for (const auto& [task, record] : reuses) engine->RecoverReuse(record);
  engine->FinishRecovery(now, effects);
  return engine;
}

}  // namespace kantoku::inputs::testing
