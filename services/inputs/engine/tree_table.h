#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Which living tasks belong together: a root, living or not, and everything that was spawned below
// it. A tree lives as long as any of its members.
//
// What is asked of a tree has a number, and every member knows the number of what it has heard.
// Members hear when somebody looks at them, or at last by a sweep, which goes from member to member
// in steps; the sweeps of several trees take turns, so that no tree holds up another.
//
// Who is above a task is kept once for all living children of one parent, and for as long as there
// are any, whether the parent lives or not: some 100 bytes and 16 for each ancestor.
//
// Trees stay where they are. Every step is O(1).
//
// Thread-compatible.
class TreeTable {
 public:
  struct Tree {
    TaskId root;
    std::string root_app;  // With which that was spawned; empty: not recorded.
    uint32_t request = 0;  // Number of the latest.
    // What holds for those that join: kCancel, kInterrupt or kPause; kResume until all have heard.
    std::optional<ControlVerb> mark{};
    uint32_t mark_request = 0;
    uint32_t step_request = 0;                   // Number of the latest step; 0: none.
    std::optional<absl::Duration> escalation{};  // Of an interrupt.
    size_t size = 0;
    TaskIndex first = kNoTask;
    bool sweeping = false;
    TaskIndex next_swept = kNoTask;  // Behind the last member none.

    bool stopping() const { return mark.has_value() && Stops(*mark); }
  };

  Tree* Find(const TaskId& root);
  const Tree* Find(const TaskId& root) const { return const_cast<TreeTable*>(this)->Find(root); }
  Tree& FindOrAdd(const TaskId& root);

  // It must be in no tree. It has heard everything. `ancestors` go with a parent, and count for
  // nothing when AncestorsBelow it are known.
  void Join(Tree& tree, TaskIndex task, const TaskId& parent,
            std::shared_ptr<const Ancestors> ancestors);
  // The tree ends with its last member; its root, if it was marked, so that its record can go.
  std::optional<TaskId> Leave(TaskIndex task);

  // Of a task that is in one.
  Tree& TreeOf(TaskIndex task) { return *kin_.at(task).tree; }
  const Tree& TreeOf(TaskIndex task) const { return *kin_.at(task).tree; }
  const TaskId& ParentOf(TaskIndex task) const { return kin_.at(task).parent; }
  // Null: it has no parent.
  std::shared_ptr<const Ancestors> AncestorsOf(TaskIndex task) const {
    return AncestorsBelow(TreeOf(task).root, ParentOf(task));
  }
  // Those of the children of this task in the tree of `root`; null when none lives.
  std::shared_ptr<const Ancestors> AncestorsBelow(const TaskId& root, const TaskId& parent) const;
  // The number of what it has heard.
  uint32_t& HeardBy(TaskIndex task) { return kin_.at(task).heard; }

  // Begins a sweep over all members, in place of one that goes on.
  void Sweep(Tree& tree);
  bool sweeping() const { return !sweeps_.empty(); }
  // A member that is to hear now; kNoTask when there is none left in `tree`, whose sweep is over,
  // or null when there was none.
  struct Swept {
    Tree* tree;
    TaskIndex member;
  };
  Swept NextSwept();

 private:
  struct Kin {
    Tree* tree;
    TaskId parent;
    uint32_t heard = 0;
    TaskIndex next = kNoTask;
    TaskIndex previous = kNoTask;
  };

  struct Family {
    std::shared_ptr<const Ancestors> ancestors;
    size_t living = 0;
  };

  absl::node_hash_map<TaskId, Tree> trees_;
  // Living children, by the root of their tree and their parent: a parent that lives no more may be
  // named in trees that are not its own.
  absl::flat_hash_map<std::pair<TaskId, TaskId>, Family> families_;
  absl::flat_hash_map<TaskIndex, Kin> kin_;
  std::deque<TaskId> sweeps_;  // Roots, those of trees that have ended among them.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_TREE_TABLE_H_
