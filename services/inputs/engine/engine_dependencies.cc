#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/inputs/engine/splitmix.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Dependencies: who waits for whom, and what becomes of those that wait.
//
// Nothing is recorded when a task is free to run: a spec names its dependencies, and one of them
// that lives no more has been heard of. Only of one that ended badly, and of which not everybody
// has heard yet, a record says so, from the commit of its end to that of the last who hears.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

namespace {

// The last part of the specs that a reference is compared by; see kSpecFieldNames.
constexpr size_t kDependenciesHash = 11;
static_assert(kSpecFieldNames[kDependenciesHash] == "dependencies");

uint64_t HashOf(std::span<const Dependency> dependencies) {
  uint64_t hash = dependencies.size();
  for (const Dependency& dependency : dependencies) {
    for (const char byte : dependency.task.bytes()) {
      hash = SplitMix(hash ^ static_cast<uint8_t>(byte));
    }
    hash = SplitMix(hash ^ (static_cast<uint64_t>(dependency.on_failure) << 1 |
                            static_cast<uint64_t>(dependency.argument)));
  }
  return hash;
}

std::string_view NameOf(TaskState end) {
  return end == TaskState::kCancelled ? "CANCELLED" : "FAILED";
}

}  // namespace

bool Engine::IsOwn(const SpawnCommand& command, TaskIndex index) const {
  const Task& task = tasks_.at(index);
  return origins_.at(task.origin).owner == command.owner &&
         matcher_.name_space(task.lane) == command.name_space;
}

absl::Status Engine::CheckBonds(std::span<const TaskSpec> specs) const {
  size_t more = 0;
  for (const TaskSpec& spec : specs) more += spec.dependencies.size();
  if (more == 0 || dependencies_.bonds() + more <= options_.max_dependencies) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kResourceExhausted, "DEPENDENCY_LIMIT",
               absl::StrCat("specs.dependencies: ", more, " more exceed the server's limit of ",
                            options_.max_dependencies, " for living tasks"));
}

std::vector<TaskId> Engine::EndedDependencies(const SpawnCommand& command) const {
  absl::flat_hash_set<TaskId> ended;
  const auto look_at = [&](const TaskId& id) {
    if (tasks_.Find(id) == kNoTask) ended.insert(id);
  };
  if (requests_.Find(command.request) != nullptr) return {};
  for (const TaskSpec& spec : command.specs) {
    for (const Dependency& dependency : spec.dependencies) {
      if (!dependency.task.empty()) {
        look_at(dependency.task);
        continue;
      }
      const TaskSpec& other = command.specs[dependency.place];
      const auto* holder = FindReference(command, other.reference);
      if (holder != nullptr) look_at(holder->task);
    }
  }
  std::vector<TaskId> ids(ended.begin(), ended.end());
  std::ranges::sort(ids);  // Of a hash table no order comes out.
  return ids;
}

std::optional<std::vector<Dependency>> Engine::NameDependencies(const TaskSpec& spec,
                                                                std::span<const TaskId> ids) {
  std::vector<Dependency> named = spec.dependencies;
  for (Dependency& dependency : named) {
    if (dependency.task.empty()) dependency.task = ids[dependency.place];
    if (dependency.task.empty()) return std::nullopt;
  }
  return named;
}

SpecHashes Engine::HashesOf(const TaskSpec& spec, std::span<const Dependency> dependencies) {
  SpecHashes hashes = spec.hashes == nullptr ? SpecHashes{} : *spec.hashes;
  if (!dependencies.empty()) hashes[kDependenciesHash] = HashOf(dependencies);
  return hashes;
}

bool Engine::KnowsAll(const SpawnCommand& command, std::span<const Dependency> dependencies,
                      const absl::flat_hash_set<TaskId>& reused) const {
  return std::ranges::all_of(dependencies, [&](const Dependency& dependency) {
    if (!MayName(command, dependency)) return false;
    const TaskIndex living = tasks_.Find(dependency.task);
    if (living != kNoTask) return IsOwn(command, living);
    if (reused.contains(dependency.task)) return true;
    return command.ended != nullptr && command.ended->contains(dependency.task);
  });
}

bool Engine::AllLetRun(const SpawnCommand& command, std::span<const Dependency> dependencies,
                       const absl::flat_hash_set<TaskId>& reused) {
  return std::ranges::all_of(dependencies, [&](const Dependency& dependency) {
    if (reused.contains(dependency.task)) return true;
    if (command.ended == nullptr) return false;
    const auto ended = command.ended->find(dependency.task);  // Nobody there lives.
    return ended != command.ended->end() && LetsRun(ended->second, dependency.on_failure);
  });
}

// A task that was never dispatched and is to end so will: nobody can have a result of it.
std::optional<TaskState> Engine::CertainEnd(TaskIndex index) const {
  const Task& task = tasks_.at(index);
  if (task.state != TaskState::kSettling || task.dispatch > 0) return std::nullopt;
  return task.intended_end;
}

void Engine::Depend(TaskIndex index, std::span<const Dependency> dependencies,
                    const absl::flat_hash_map<TaskId, TaskState>* ended, const Now& now,
                    Effects& effects) {
  Task& task = tasks_.at(index);
  task.has_dependencies = true;
  for (const Dependency& dependency : dependencies) {
    if (dependency.argument) with_arguments_.insert(index);
    const TaskIndex living = tasks_.Find(dependency.task);
    std::optional<TaskState> end;
    if (living != kNoTask) {
      end = CertainEnd(living);
    } else if (ended != nullptr) {
      const auto found = ended->find(dependency.task);
      if (found != ended->end()) end = found->second;
    }
    if (end.has_value() && !LetsRun(*end, dependency.on_failure)) {
      return GiveUpOn(index, dependency.task, *end, dependency.on_failure, now, effects);
    }
    if (living != kNoTask) {
      dependencies_.Add(index, living, dependency.task, dependency.on_failure);
    }
  }
}

// It will not run. What its tree was asked before counts more.
void Engine::GiveUpOn(TaskIndex index, const TaskId& dependency, TaskState end,
                      OnFailure on_failure, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (task.has_kin) HearTree(index, now, effects);
  if (task.state == TaskState::kSettling) return;
  Dequeue(index, TaskState::kSettling);
  const bool skip = on_failure == OnFailure::kSkip;
  Settle(index, skip ? TaskState::kCancelled : TaskState::kFailed,
         {skip ? "SKIPPED" : "DEPENDENCY_FAILED",
          absl::StrCat("depends on ", dependency.ToString(), ", which ended as ",
                       platform::ToAbsl(NameOf(end)))},
         effects);
}

void Engine::SweepDependencies(const Now& now, Effects& effects) {
  for (size_t left = options_.dependency_sweep; left > 0 && dependencies_.sweeping(); --left) {
    const DependencyTable::Step step = dependencies_.Next();
    if (step.over.has_value()) effects.ended_dependencies.push_back({step.over->key(), {}});
    if (step.waiter == kNoTask) continue;
    if (!LetsRun(step.end, step.on_failure)) {
      left -= std::min<size_t>(left - 1, dependencies_.GiveUp(step.waiter));
      GiveUpOn(step.waiter, step.dependency, step.end, step.on_failure, now, effects);
      continue;
    }
    if (KANTOKU_PLANTED("dependency resolved twice") && dependencies_.OpenOf(step.waiter) == 1) {
      dependencies_.GiveUp(step.waiter);
    }
    if (dependencies_.OpenOf(step.waiter) == 0) Enqueue(step.waiter, now);
  }
}

// Others may wait for it: they hear of its end, and the store until they have.
void Engine::TellWaiters(TaskIndex index, TaskState end, Effects& effects) {
  const Task& task = tasks_.at(index);
  if (!dependencies_.End(index, end)) return;
  effects.ended_dependencies.push_back({task.key(), EndedDependencyRecord{task.id, end}});
}

// ---- Recovery ----

void Engine::RecoverEndedDependency(const EndedDependencyRecord& record) {
  dependencies_.RecoverEnded(record.task, record.end);
}

// Of tasks that still wait for nothing else: what has been dispatched, or is to end, does not wait.
void Engine::RecoverBonds() {
  for (const auto& [index, dependencies] : recovered_dependencies_) {
    const Task& task = tasks_.at(index);
    if (task.dispatch > 0 || task.state == TaskState::kSettling) continue;
    for (const Dependency& dependency : dependencies) {
      const TaskIndex living = tasks_.Find(dependency.task);
      if (living != kNoTask) {
        dependencies_.Add(index, living, dependency.task, dependency.on_failure);
      } else {
        dependencies_.AddRecovered(index, dependency.task, dependency.on_failure);
      }
    }
  }
  recovered_dependencies_ = {};
  dependencies_.FinishRecovery();
}

}  // namespace kantoku::inputs
