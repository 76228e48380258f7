#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/inputs/engine/splitmix.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Dead tasks that are run anew: each has one successor at most, which is told for as long as the
// dead one is known. So a restart may be asked for again, and a chain never branches.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

TaskSpec Engine::SpecOfRestart(const TaskView& dead, TaskSpec spec) const {
  spec.parent = dead.parent;
  spec.root = dead.root;
  spec.restarted_from = dead.id;
  spec.order = 0;
  spec.expire_at.reset();  // Whoever restarts it wants it to run.
  spec.provenance = dead.provenance;
  if (!dead.root.empty() && !IsBelowRoot(dead)) spec.provenance.root_app = dead.provenance.app;
  if (!KANTOKU_PLANTED("restart has the info of the spawn")) spec.info = dead.info;
  if (spec.info != nullptr && spec.info->revision > 0) {
    spec.info = std::make_shared<const Info>(Info{dead.info->context, dead.info->labels});
  }
  if (KANTOKU_PLANTED("restart waits for what is dead")) return spec;
  FollowRestarts(spec.dependencies);
  for (Dependency& dependency : spec.dependencies) {
    if (tasks_.Find(dependency.task) == kNoTask) dependency.on_failure = OnFailure::kRun;
  }
  return spec;
}

// Names each task once, also where both it and its restart are named.
void Engine::FollowRestarts(std::vector<Dependency>& dependencies) const {
  absl::flat_hash_set<TaskId> named;
  for (Dependency& dependency : dependencies) {
    const TaskId newest = restarts_.NewestOf(dependency.task);
    if (newest == dependency.task) continue;
    if (named.empty()) {
      for (const Dependency& other : dependencies) named.insert(other.task);
    }
    if (named.insert(newest).second) dependency.task = newest;
  }
}

namespace {

SpawnCommand CommandOf(const TaskView& dead, const TaskSpec& spec) {
  return {.name_space = dead.name_space, .owner = dead.owner, .specs = std::span(&spec, 1)};
}

}  // namespace

absl::Status Engine::CheckRestart(const TaskView& dead, const TaskSpec& spec) const {
  const TreeTable::Tree* const tree = dead.root.empty() ? nullptr : trees_.Find(dead.root);
  const TaskIndex parent = dead.parent.empty() ? kNoTask : tasks_.Find(dead.parent);
  const bool stopping = tree != nullptr && tree->stopping();
  if ((stopping && !KANTOKU_PLANTED("restart joins a tree that stops")) ||
      (parent != kNoTask && tasks_.at(parent).cancel_requested)) {
    return Error(absl::StatusCode::kFailedPrecondition, SpawnOutcome::kTreeStopping,
                 absl::StrCat("task ", dead.id.ToString(), ": its tree is being stopped"));
  }
  const auto* const holder = FindReference(dead);
  if (holder != nullptr && holder->task != dead.id) {
    return Error(absl::StatusCode::kFailedPrecondition, "REFERENCE_TAKEN",
                 absl::StrCat("task ", dead.id.ToString(), ": its reference belongs to task ",
                              holder->task.ToString()));
  }
  if (const auto full = quotas_.Refusal(dead.name_space, dead.type, spec.stored_bytes);
      !full.empty()) {
    return Error(absl::StatusCode::kResourceExhausted, full,
                 absl::StrCat("task ", dead.id.ToString(), ": there is no room for another one"));
  }
  const SpawnCommand command = CommandOf(dead, spec);
  KANTOKU_RETURN_IF_ERROR(CheckPending(command.specs.size()));
  KANTOKU_RETURN_IF_ERROR(CheckLanes(dead.name_space, command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckSelectors(dead.name_space, command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckBonds(command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckKeys(command));
  KANTOKU_RETURN_IF_ERROR(CheckInfo(command.specs));
  if (spec.keys == nullptr) return absl::OkStatus();
  KeyFinder keys(admission_.keys(), dead.name_space, dead.owner);
  const Refusal refusal = CheckLimits(command, spec, keys.Find(spec));
  if (refusal.word.empty()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, refusal.word, refusal.about);
}

// A tree of which nobody lives any more lives again with it, without what had been asked of it.
absl::StatusOr<TaskId> Engine::Restart(const TaskView& dead, const TaskSpec& spec, uint64_t random,
                                       const Now& now, Effects& effects) {
  Advance(now);
  KANTOKU_RETURN_IF_ERROR(CheckRestart(dead, spec));
  const uint32_t slot = SlotOf(dead.name_space);
  const uint64_t sequence = ReserveSequences(slot, 1, effects);
  sequences_[slot].first = sequence + 1;
  const TaskId id = TaskId::Make(now.wall, slot, sequence, SplitMix(random));
  const uint32_t origin =
      origins_.Intern({dead.owner, spec.provenance.app, spec.provenance.executor_owner,
                       spec.provenance.spawn_scope});
  const TaskIndex index = Admit(id, dead.name_space, origin, spec, /*order=*/0);
  if (spec.keys != nullptr) {
    KeyFinder keys(admission_.keys(), dead.name_space, dead.owner);
    NamedKeys& named = keys.Find(spec);
    MakeLimits(CommandOf(dead, spec), spec, named, now, effects);
    admission_.Join(index, dead.name_space, dead.owner, spec.type, *spec.keys, named);
  }
  if (!dead.root.empty()) Join(index, dead.parent, dead.root, spec.provenance);
  Task& task = tasks_.at(index);
  if (task.pure) NoteNoResultYet(task, now);
  if (!dead.reference.empty() && !KANTOKU_PLANTED("restart leaves the reference behind")) {
    MoveReference(dead, id, effects);
  }
  restarts_.Add(dead.id.key(), id);
  effects.restarts.push_back({dead.id.key(), RestartRecord{id}});
  if (task.pause_requested) WriteState(task, std::nullopt, effects);
  Say(EventType::kTaskCreated, task, effects);
  if (!spec.dependencies.empty()) Depend(index, spec.dependencies, /*ended=*/nullptr, now, effects);
  if (task.state != TaskState::kSettling) Enqueue(index, now);
  return id;
}

void Engine::MoveReference(const TaskView& dead, const TaskId& successor, Effects& effects) {
  const auto* const holder = FindReference(dead);
  const ReferenceRecord record{successor,
                               dead.name_space,
                               dead.owner,
                               dead.reference,
                               holder == nullptr ? SpecHashes{} : holder->hashes,
                               dead.provenance.executor_owner.empty() ? TaskId() : dead.parent};
  reference_keys_.erase(dead.id.key());
  RecoverReference(record);
  effects.references.push_back({dead.id.key(), std::nullopt});
  effects.references.push_back({successor.key(), record});
}

void Engine::ForgetRestart(TaskKey dead, Effects& effects) {
  if (restarts_.Forget(dead)) effects.restarts.push_back({dead, std::nullopt});
}

void Engine::RecoverRestart(TaskKey dead, const RestartRecord& record) {
  if (KANTOKU_PLANTED("restart lost in recovery")) return;
  restarts_.Add(dead, record.successor);
}

}  // namespace kantoku::inputs
