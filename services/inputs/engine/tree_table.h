#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Which living tasks belong together: a root, living or not, and everything that was spawned below
// it. A tree lives as long as any of its members. A request to a whole tree reaches the members one
// by one, in a sweep that goes on from group to group, so that a tree of any size holds nobody up.
//
// Trees stay where they are. Every step is O(1), but for the end of a tree that is being swept.
//
// Thread-compatible.
class TreeTable {
 public:
  struct Tree {
    TaskId root;
    // What was asked of the tree and holds for those that join it: kCancel, kInterrupt or kPause;
    // kResume until all have heard of it.
    std::optional<ControlVerb> mark{};
    std::optional<absl::Duration> escalation{};  // Of an interrupt.
    size_t size = 0;
    TaskIndex first = kNoTask;
    // Of the sweep that goes on, if one does; behind the last member kNoTask.
    std::optional<ControlVerb> sweep{};
    TaskIndex next_swept = kNoTask;

    bool stopping() const { return mark == ControlVerb::kCancel || mark == ControlVerb::kInterrupt; }
  };

  Tree* Find(const TaskId& root);
  const Tree* Find(const TaskId& root) const { return const_cast<TreeTable*>(this)->Find(root); }
  Tree& FindOrAdd(const TaskId& root);
  size_t size() const { return trees_.size(); }

  // Whoever joins is not met by a sweep that goes on. It must be in no tree.
  void Join(Tree& tree, TaskIndex task, const TaskId& parent);
  // The tree ends with its last member; its root, if it was marked, so that its record can go.
  std::optional<TaskId> Leave(TaskIndex task);

  // Of a task that is in one.
  Tree& TreeOf(TaskIndex task) { return *kin_.at(task).tree; }
  const Tree& TreeOf(TaskIndex task) const { return *kin_.at(task).tree; }
  const TaskId& ParentOf(TaskIndex task) const { return kin_.at(task).parent; }

  // Begins a sweep over all members, in place of one that goes on.
  void Sweep(Tree& tree, ControlVerb verb);
  bool sweeping() const { return !sweeps_.empty(); }
  // The oldest sweep's next member, kNoTask behind the last one: then the sweep is over, and the
  // next call is about another tree.
  struct Swept {
    Tree* tree;
    ControlVerb verb;
    TaskIndex member;
  };
  Swept NextSwept();

 private:
  struct Kin {
    Tree* tree;
    TaskId parent;
    TaskIndex next = kNoTask;
    TaskIndex previous = kNoTask;
  };

  absl::node_hash_map<TaskId, Tree> trees_;
  absl::flat_hash_map<TaskIndex, Kin> kin_;
  std::deque<Tree*> sweeps_;  // Each tree once.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_
