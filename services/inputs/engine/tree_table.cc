#include "services/inputs/engine/tree_table.h"

#include "services/platform/check.h"

namespace kantoku::inputs {

TreeTable::Tree* TreeTable::Find(const TaskId& root) {
  const auto found = trees_.find(root);
  return found == trees_.end() ? nullptr : &found->second;
}

TreeTable::Tree& TreeTable::FindOrAdd(const TaskId& root) {
  Tree& tree = trees_[root];
  tree.root = root;
  return tree;
}

void TreeTable::Join(Tree& tree, TaskIndex task, const TaskId& parent) {
  if (tree.first != kNoTask) kin_.at(tree.first).previous = task;
  const bool added =
      kin_.emplace(task, Kin{.tree = &tree, .parent = parent, .next = tree.first}).second;
  KANTOKU_CHECK(added);
  tree.first = task;
  ++tree.size;
}

std::optional<TaskId> TreeTable::Leave(TaskIndex task) {
  const auto found = kin_.find(task);
  const Kin kin = found->second;
  kin_.erase(found);
  Tree& tree = *kin.tree;
  if (kin.next != kNoTask) kin_.at(kin.next).previous = kin.previous;
  if (kin.previous != kNoTask) {
    kin_.at(kin.previous).next = kin.next;
  } else {
    tree.first = kin.next;
  }
  if (tree.next_swept == task) tree.next_swept = kin.next;
  if (--tree.size > 0) return std::nullopt;
  if (tree.sweep.has_value()) std::erase(sweeps_, &tree);
  const TaskId root = tree.root;
  const bool marked = tree.mark.has_value();
  trees_.erase(root);
  return marked ? std::optional(root) : std::nullopt;
}

void TreeTable::Sweep(Tree& tree, ControlVerb verb) {
  if (!tree.sweep.has_value()) sweeps_.push_back(&tree);
  tree.sweep = verb;
  tree.next_swept = tree.first;
}

TreeTable::Swept TreeTable::NextSwept() {
  Tree* const tree = sweeps_.front();
  const Swept swept{tree, *tree->sweep, tree->next_swept};
  if (swept.member == kNoTask) {
    sweeps_.pop_front();
    tree->sweep.reset();
  } else {
    tree->next_swept = kin_.at(swept.member).next;
  }
  return swept;
}

}  // namespace kantoku::inputs
