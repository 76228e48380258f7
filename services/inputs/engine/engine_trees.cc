#include <optional>

#include "services/inputs/engine/engine.h"
#include "services/platform/status.h"

// Trees: who belongs together, and what is asked of all of them at once.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

Engine::Kinship Engine::FindKin(const SpawnCommand& command, const TaskSpec& spec) const {
  if (spec.parent.empty() && spec.root.empty()) return {};
  const auto foreign = [&](const Task& task) {
    return names_.at(task.owner) != command.owner ||
           matcher_.name_space(task.lane) != command.name_space;
  };
  const TaskIndex parent = tasks_.Find(spec.parent);
  const TaskId root = parent == kNoTask          ? spec.root
                      : tasks_.at(parent).has_kin ? trees_.TreeOf(parent).root
                                                  : spec.parent;
  if (parent != kNoTask && foreign(tasks_.at(parent))) {
    return {.refusal = SpawnOutcome::kParentUnknown};
  }
  if (!spec.root.empty() && spec.root != root) return {.refusal = SpawnOutcome::kRootMismatch};
  const TreeTable::Tree* const tree = trees_.Find(root);
  const TaskIndex living_root = tasks_.Find(root);
  const TaskIndex member = tree != nullptr ? tree->first : living_root;
  if (member == kNoTask || foreign(tasks_.at(member))) {
    return {.refusal = SpawnOutcome::kParentUnknown};
  }
  const auto stops = [&](TaskIndex task) {
    return task != kNoTask && tasks_.at(task).cancel_requested;
  };
  if ((tree != nullptr && tree->stopping()) || stops(parent) || stops(living_root)) {
    return {.refusal = SpawnOutcome::kTreeStopping};
  }
  return {.root = root};
}

void Engine::Join(TaskIndex index, const TaskId& parent, const TaskId& root) {
  TreeTable::Tree& tree = trees_.FindOrAdd(root);
  if (const TaskIndex living = tasks_.Find(root);
      living != kNoTask && living != index && !tasks_.at(living).has_kin) {
    trees_.Join(tree, living, TaskId());
    tasks_.at(living).has_kin = true;
  }
  Task& task = tasks_.at(index);
  trees_.Join(tree, index, parent);
  task.has_kin = true;
  task.pause_requested = task.pause_requested || tree.mark == ControlVerb::kPause;
}

TaskId Engine::RootOf(const TaskId& id) const {
  const TaskIndex index = tasks_.Find(id);
  return index != kNoTask && tasks_.at(index).has_kin ? trees_.TreeOf(index).root : TaskId();
}

void Engine::LeaveTree(TaskIndex index, Effects& effects) {
  if (const auto marked = trees_.Leave(index); marked.has_value()) {
    effects.trees.push_back({marked->key(), std::nullopt});
  }
}

std::optional<TaskView> Engine::FindInTree(const TaskId& root) const {
  const TreeTable::Tree* const tree = trees_.Find(root);
  if (tree == nullptr) return std::nullopt;
  return ViewOf(tasks_.at(tree->first));
}

absl::StatusOr<TaskState> Engine::ControlTree(const ControlCommand& command, const Now& now,
                                              Effects& effects) {
  const TaskIndex living = tasks_.Find(command.task);
  TreeTable::Tree* tree = trees_.Find(command.task);
  if (tree == nullptr) {
    // A task without children may have some later. One that is in a tree is not its root.
    if (living == kNoTask || tasks_.at(living).has_kin) {
      return Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no such tree");
    }
    Join(living, TaskId(), command.task);
    tree = trees_.Find(command.task);
  }
  const bool stops =
      command.verb == ControlVerb::kCancel || command.verb == ControlVerb::kInterrupt;
  const bool known = tree->stopping() && (tree->mark == command.verb ||
                                          command.verb == ControlVerb::kCancel);
  if (tree->stopping() && !stops) {
    return Error(absl::StatusCode::kFailedPrecondition, "TASK_STOPPING",
                 "the tree is being stopped: only its end can follow");
  }
  if (command.verb == ControlVerb::kStep) {
    // It would take the place of a pause that some have not heard of.
    if (tree->sweep.has_value()) {
      return Error(absl::StatusCode::kUnavailable, "TREE_BUSY",
                   "an earlier request is still on its way to the tree's tasks");
    }
  } else if (!known) {
    tree->mark = command.verb;
    tree->escalation = command.escalation;
    effects.trees.push_back({tree->root.key(), TreeRecord{tree->root, command.verb}});
  }
  if (!known) trees_.Sweep(*tree, command.verb);
  // The root hears of it at once; what the sweep says again to it changes nothing.
  if (living == kNoTask) return TaskState::kSettling;
  ControlCommand of_root = command;
  of_root.tree = false;
  const auto state = Steer(living, of_root, now, effects);
  return state.ok() ? *state : tasks_.at(living).state;
}

void Engine::SweepTrees(const Now& now, Effects& effects) {
  for (size_t left = kSweepBudget; left > 0 && trees_.sweeping(); --left) {
    const TreeTable::Swept swept = trees_.NextSwept();
    if (swept.member != kNoTask) {
      // Who cannot heed it, such as a task that is not paused and is to step, has nothing to do.
      (void)Steer(swept.member, {.verb = swept.verb, .escalation = swept.tree->escalation}, now,
                  effects);
    } else if (swept.tree->mark == swept.verb) {
      const TaskId& root = swept.tree->root;
      const bool resumed = swept.verb == ControlVerb::kResume;
      if (resumed) swept.tree->mark.reset();
      const TreeRecord record{.root = root, .verb = swept.verb, .swept = true};
      effects.trees.push_back({root.key(), resumed ? std::nullopt : std::optional(record)});
    }
  }
}

bool Engine::HeedsTree(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (!task.has_kin) return true;
  const TreeTable::Tree& tree = trees_.TreeOf(index);
  const bool pauses = tree.mark == ControlVerb::kPause && tree.sweep == ControlVerb::kPause;
  if (!tree.stopping() && !(pauses && !task.pause_requested)) return true;
  task.state = TaskState::kScheduled;  // It is in no queue any more.
  (void)Steer(index, {.verb = *tree.mark, .escalation = tree.escalation}, now, effects);
  return false;
}

}  // namespace kantoku::inputs
