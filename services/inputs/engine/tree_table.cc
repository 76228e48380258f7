#include "services/inputs/engine/tree_table.h"

#include <utility>

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

void TreeTable::Join(Tree& tree, TaskIndex task, const TaskId& parent,
                     std::shared_ptr<const Ancestors> ancestors) {
  if (!parent.empty()) {
    Family& family = families_[{tree.root, parent}];
    if (family.living++ == 0) family.ancestors = std::move(ancestors);
  }
  if (tree.first != kNoTask) kin_.at(tree.first).previous = task;
  const Kin kin{.tree = &tree, .parent = parent, .heard = tree.request, .next = tree.first};
  KANTOKU_CHECK(kin_.emplace(task, kin).second);
  tree.first = task;
  ++tree.size;
}

std::optional<TaskId> TreeTable::Leave(TaskIndex task) {
  const auto found = kin_.find(task);
  const Kin kin = found->second;
  kin_.erase(found);
  if (!kin.parent.empty()) {
    const auto family = families_.find({kin.tree->root, kin.parent});
    if (--family->second.living == 0) families_.erase(family);
  }
  Tree& tree = *kin.tree;
  if (kin.next != kNoTask) kin_.at(kin.next).previous = kin.previous;
  if (kin.previous != kNoTask) {
    kin_.at(kin.previous).next = kin.next;
  } else {
    tree.first = kin.next;
  }
  if (tree.next_swept == task) tree.next_swept = kin.next;
  if (--tree.size > 0) return std::nullopt;
  const TaskId root = tree.root;
  const bool marked = tree.mark.has_value();
  trees_.erase(root);
  return marked ? std::optional(root) : std::nullopt;
}

std::shared_ptr<const Ancestors> TreeTable::AncestorsBelow(const TaskId& root,
                                                           const TaskId& parent) const {
  const auto family = families_.find({root, parent});
  return family == families_.end() ? nullptr : family->second.ancestors;
}

void TreeTable::Sweep(Tree& tree) {
  if (!tree.sweeping) sweeps_.push_back(tree.root);
  tree.sweeping = true;
  tree.next_swept = tree.first;
}

TreeTable::Swept TreeTable::NextSwept() {
  const TaskId root = sweeps_.front();
  sweeps_.pop_front();
  Tree* const tree = Find(root);
  if (tree == nullptr || !tree->sweeping) return {nullptr, kNoTask};
  const TaskIndex member = tree->next_swept;
  if (member == kNoTask) {
    tree->sweeping = false;
  } else {
    tree->next_swept = kin_.at(member).next;
    sweeps_.push_back(root);
  }
  return {tree, member};
}

}  // namespace kantoku::inputs
