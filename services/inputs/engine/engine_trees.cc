#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Trees: who belongs together, and what is asked of all of them at once.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

Engine::Kinship Engine::FindKin(const SpawnCommand& command, const TaskSpec& spec) const {
  if (spec.parent.empty()) return {};
  const auto is_own = [&](TaskIndex index) { return IsOwn(command, index); };
  const TaskIndex parent = tasks_.Find(spec.parent);
  TaskId root = spec.root;
  if (parent != kNoTask) {
    if (!is_own(parent)) return {.refusal = SpawnOutcome::kParentUnknown};
    root = tasks_.at(parent).has_kin ? trees_.TreeOf(parent).root : spec.parent;
    if (!spec.root.empty() && spec.root != root) return {.refusal = SpawnOutcome::kRootMismatch};
    if (tasks_.at(parent).cancel_requested) return {.refusal = SpawnOutcome::kTreeStopping};
  }
  const TreeTable::Tree* const tree = trees_.Find(root);
  const TaskIndex alone = tree == nullptr ? tasks_.Find(root) : kNoTask;
  const TaskIndex member = tree != nullptr ? tree->first : alone;
  // Who is below another root is none.
  const bool is_root = alone == kNoTask || !tasks_.at(alone).has_kin;
  if (member == kNoTask || !is_root || !is_own(member)) {
    return {.refusal = SpawnOutcome::kParentUnknown};
  }
  if (tree != nullptr && tree->stopping() && !KANTOKU_PLANTED("child joins a tree that stops")) {
    return {.refusal = SpawnOutcome::kTreeStopping};
  }
  return {.root = root};
}

void Engine::Join(TaskIndex index, const TaskId& parent, const TaskId& root,
                  const Provenance& recorded) {
  TreeTable::Tree& tree = FoundTree(root);
  if (tree.root_app.empty()) tree.root_app = recorded.root_app;
  Task& task = tasks_.at(index);
  std::shared_ptr<const Ancestors> ancestors = recorded.ancestors;
  if (ancestors == nullptr && !parent.empty()) ancestors = AncestorsBelow(parent, root);
  trees_.Join(tree, index, parent, std::move(ancestors));
  task.has_kin = true;
  task.pause_requested = task.pause_requested || tree.mark == ControlVerb::kPause;
}

// Of a parent that has ended, and has no other child that lives, nobody knows who was above it but
// the root.
std::shared_ptr<const Ancestors> Engine::AncestorsBelow(const TaskId& parent,
                                                        const TaskId& root) const {
  if (auto known = trees_.AncestorsBelow(root, parent)) return known;
  auto ancestors = std::make_shared<Ancestors>(1, parent);
  const TaskIndex living = tasks_.Find(parent);
  if (living == kNoTask) {
    if (parent != root) ancestors->push_back(root);
  } else if (tasks_.at(living).has_kin) {
    if (const auto above = trees_.AncestorsOf(living)) {
      const size_t count = std::min(above->size(), kMostAncestors - 1);
      ancestors->insert(ancestors->end(), above->begin(),
                        above->begin() + static_cast<std::ptrdiff_t>(count));
    }
  }
  return ancestors;
}

Provenance Engine::ProvenanceOf(TaskIndex index) const {
  const Task& task = tasks_.at(index);
  const Origin& origin = origins_.at(task.origin);
  Provenance provenance{.app = origin.app,
                        .executor_owner = origin.executor_owner,
                        .root_app = {},
                        .ancestors = nullptr,
                        .spawn_scope = origin.spawn_scope};
  if (!task.has_kin) return provenance;
  const TreeTable::Tree& tree = trees_.TreeOf(index);
  if (tree.root != task.id) provenance.root_app = tree.root_app;
  provenance.ancestors = trees_.AncestorsOf(index);
  return provenance;
}

// With its root, if that lives.
TreeTable::Tree& Engine::FoundTree(const TaskId& root) {
  TreeTable::Tree& tree = trees_.FindOrAdd(root);
  const TaskIndex living = tasks_.Find(root);
  if (living != kNoTask && !tasks_.at(living).has_kin) {
    trees_.Join(tree, living, TaskId(), /*ancestors=*/nullptr);
    tree.root_app = origins_.at(tasks_.at(living).origin).app;
    tasks_.at(living).has_kin = true;
  }
  return tree;
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
  const TaskIndex root = tasks_.Find(command.task);
  const bool alone = root != kNoTask && !tasks_.at(root).has_kin;
  // A task without children may have some later. One that is in a tree and not its root is none.
  if (!alone && trees_.Find(command.task) == nullptr) {
    return Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no such tree");
  }
  TreeTable::Tree& tree = FoundTree(command.task);
  if (tree.stopping() && !Stops(command.verb)) {
    return Error(absl::StatusCode::kFailedPrecondition, "TASK_STOPPING",
                 "the tree is being stopped: only its end can follow");
  }
  if (!(tree.mark == ControlVerb::kInterrupt && command.verb == ControlVerb::kCancel)) {
    AskTree(tree, command, effects);
  }
  if (root == kNoTask) return TaskState::kSettling;
  HearTree(root, now, effects);
  return tasks_.at(root).state;
}

void Engine::AskTree(TreeTable::Tree& tree, const ControlCommand& command, Effects& effects) {
  ++tree.request;
  trees_.Sweep(tree);
  if (command.verb == ControlVerb::kStep) {
    tree.step_request = tree.request;
  } else {
    tree.mark = command.verb;
    tree.mark_request = tree.request;
    tree.escalation = command.escalation;
    effects.trees.push_back({tree.root.key(), RecordOf(tree)});
  }
}

TreeRecord Engine::RecordOf(const TreeTable::Tree& tree) {
  return {
      .root = tree.root,
      .verb = *tree.mark,
      .swept = !tree.sweeping,
      .escalation_ms =
          tree.escalation.has_value()
              ? std::optional(static_cast<uint32_t>(absl::ToInt64Milliseconds(*tree.escalation)))
              : std::nullopt};
}

// What it has not heard yet, in the order in which it was asked.
void Engine::HearTree(TaskIndex index, const Now& now, Effects& effects) {
  const TreeTable::Tree& tree = trees_.TreeOf(index);
  const uint32_t heard = std::exchange(trees_.HeardBy(index), tree.request);
  // Who cannot heed it, such as a task that is not paused and is to step, has nothing to do.
  if (heard < tree.mark_request) {
    (void)Steer(index, {.verb = *tree.mark, .escalation = tree.escalation}, now, effects);
  }
  if (heard < tree.step_request && tree.step_request > tree.mark_request) {
    (void)Steer(index, {.verb = ControlVerb::kStep}, now, effects);
  }
}

void Engine::SweepTrees(const Now& now, Effects& effects) {
  for (size_t left = options_.tree_sweep; left > 0 && trees_.sweeping(); --left) {
    const auto [tree, member] = trees_.NextSwept();
    if (member != kNoTask) {
      HearTree(member, now, effects);
    } else if (tree != nullptr && tree->mark == ControlVerb::kResume) {
      tree->mark.reset();
      effects.trees.push_back({tree->root.key(), std::nullopt});
    } else if (tree != nullptr && tree->mark.has_value()) {
      effects.trees.push_back({tree->root.key(), RecordOf(*tree)});
    }
  }
}

bool Engine::HeedsTree(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (KANTOKU_PLANTED("tree not heeded at dispatch")) return true;
  if (!task.has_kin || trees_.HeardBy(index) == trees_.TreeOf(index).request) return true;
  if (task.has_keys) admission_.Unready(index);        // What it has saved up, it gives back.
  constexpr TaskState kTaken = TaskState::kScheduled;  // It is in no queue any more.
  task.state = kTaken;
  HearTree(index, now, effects);
  return task.state == kTaken;
}

// A tree of which nobody lives has no record: its end and its record's are of one commit.
void Engine::RecoverTree(const TreeRecord& record) {
  if (KANTOKU_PLANTED("mark of a tree forgotten in recovery")) return;
  if (trees_.Find(record.root) == nullptr && tasks_.Find(record.root) == kNoTask) return;
  TreeTable::Tree& tree = FoundTree(record.root);
  tree.mark = record.verb;
  if (record.escalation_ms.has_value()) {
    tree.escalation = absl::Milliseconds(*record.escalation_ms);
  }
  if (record.swept || KANTOKU_PLANTED("sweep of a tree lost in recovery")) return;
  tree.mark_request = ++tree.request;
  trees_.Sweep(tree);
}

}  // namespace kantoku::inputs
