#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_RESTART_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_RESTART_BOOK_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// What dead tasks were restarted as. Each has one successor at most, which may be dead and
// restarted as well: they make a chain, of which every member knows the newest. All in O(1),
// however long a chain is.
//
// Thread-compatible.
class RestartBook {
 public:
  // The dead task has this successor from now on. Those of a chain come in the order in which they
  // were made, which is that of their keys.
  void Add(TaskKey dead, const TaskId& successor);
  // Empty: it was not restarted.
  TaskId SuccessorOf(TaskKey dead) const;
  // What it was restarted as, and that, and so on; itself when it was not.
  TaskId NewestOf(const TaskId& task) const;
  // The dead task is not known any more. Whether it had a successor.
  bool Forget(TaskKey dead);

 private:
  struct Entry {
    TaskId successor;
    TaskKey chain = 0;  // The dead task that it began with.
  };
  struct Chain {
    TaskId newest;
    size_t known = 0;  // Dead tasks of it.
  };
  absl::flat_hash_map<TaskKey, Entry> entries_;
  absl::flat_hash_map<TaskKey, Chain> chains_;
  absl::flat_hash_map<TaskKey, TaskKey> chain_of_newest_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_RESTART_BOOK_H_
