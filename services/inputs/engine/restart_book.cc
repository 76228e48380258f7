#include "services/inputs/engine/restart_book.h"

namespace kantoku::inputs {

void RestartBook::Add(TaskKey dead, const TaskId& successor) {
  TaskKey chain = dead;
  if (const auto ended = chain_of_newest_.find(dead); ended != chain_of_newest_.end()) {
    chain = ended->second;
    chain_of_newest_.erase(ended);
  }
  entries_[dead] = {successor, chain};
  chain_of_newest_[successor.key()] = chain;
  Chain& entry = chains_[chain];
  entry.newest = successor;
  ++entry.known;
}

TaskId RestartBook::SuccessorOf(TaskKey dead) const {
  const auto entry = entries_.find(dead);
  return entry == entries_.end() ? TaskId() : entry->second.successor;
}

TaskId RestartBook::NewestOf(const TaskId& task) const {
  const auto entry = entries_.find(task.key());
  return entry == entries_.end() ? task : chains_.at(entry->second.chain).newest;
}

bool RestartBook::Forget(TaskKey dead) {
  const auto entry = entries_.find(dead);
  if (entry == entries_.end()) return false;
  const auto chain = chains_.find(entry->second.chain);
  entries_.erase(entry);
  if (--chain->second.known == 0) {
    chain_of_newest_.erase(chain->second.newest.key());
    chains_.erase(chain);
  }
  return true;
}

}  // namespace kantoku::inputs
