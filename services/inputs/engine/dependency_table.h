#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_DEPENDENCY_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_DEPENDENCY_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Who waits for whom. A waiter waits for living tasks; each of these has a list of its waiters, and
// both ends of a bond find it in O(1), however many others there are.
//
// How a task ends its waiters hear one after the other, by a sweep in steps; the sweeps of several
// tasks take turns. A sweep goes two ways: once a task has ended all its waiters hear, and each
// bond goes; of one that is only certain to end badly those hear that will not run then.
//
// Every step is O(1), but for a waiter that gives up, which costs O(its bonds). About 100 bytes a
// bond in a chain, 30 where many wait for one or one for many.
//
// Thread-compatible.
class DependencyTable {
 public:
  // `waiter` waits for a living task, too.
  void Add(TaskIndex waiter, TaskIndex dependency, const TaskId& id, OnFailure on_failure);
  // How many tasks it waits for.
  uint32_t OpenOf(TaskIndex waiter) const;
  // One of them; it must wait for some.
  const TaskId& AnyOf(TaskIndex waiter) const;
  // It waits for nothing any more. How many tasks it was.
  size_t GiveUp(TaskIndex waiter);
  size_t bonds() const { return bonds_.size() - free_bonds_.size(); }

  // The task is still there, but will end so, which is no success.
  void Doom(TaskIndex dependency, TaskState end);
  // The task has ended. Whether it must be remembered how until its sweep is over: somebody waits,
  // and it did not succeed.
  bool End(TaskIndex dependency, TaskState end);
  // After a restart: one that has ended and was to be remembered. Its sweep begins anew.
  void RecoverEnded(const TaskId& id, TaskState end);
  // `waiter` waited for it. Whether it is one of those.
  bool AddRecovered(TaskIndex waiter, const TaskId& id, OnFailure on_failure);
  void FinishRecovery() { recovered_ = {}; }

  bool sweeping() const { return !sweeps_.empty(); }
  struct Step {
    TaskIndex waiter = kNoTask;  // Who hears; kNoTask: nobody does in this step.
    OnFailure on_failure = OnFailure::kFail;
    TaskId dependency;  // Of what,
    TaskState end = TaskState::kReady;
    // This one need not be remembered any more: everybody has heard.
    std::optional<TaskId> over;
  };
  // When there is one. The bond with the waiter is gone.
  Step Next();

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Bond {
    uint32_t list = kNone;
    TaskIndex waiter = kNoTask;
    uint32_t next = kNone;  // In the list.
    uint32_t previous = kNone;
    uint32_t next_of_waiter = kNone;
    uint32_t previous_of_waiter = kNone;
    OnFailure on_failure = OnFailure::kFail;
  };
  // The waiters of one task.
  struct List {
    TaskId id;
    TaskIndex task = kNoTask;           // While it lives.
    TaskState end = TaskState::kReady;  // Final when it is doomed, or has ended.
    bool remembered = false;
    bool sweeping = false;
    uint32_t first = kNone;
    uint32_t next_swept = kNone;
  };
  struct Waiter {
    uint32_t first = kNone;
    uint32_t open = 0;
  };

  uint32_t NewList(const TaskId& id);
  void FreeList(uint32_t list);
  void Bind(TaskIndex waiter, uint32_t list, OnFailure on_failure);
  void Unbind(uint32_t bond);
  void Sweep(uint32_t list);

  std::deque<Bond> bonds_;
  std::vector<uint32_t> free_bonds_;
  std::deque<List> lists_;
  std::vector<uint32_t> free_lists_;
  absl::flat_hash_map<TaskIndex, uint32_t> list_of_;  // Of living tasks that somebody waits for.
  absl::flat_hash_map<TaskIndex, Waiter> waiters_;
  absl::flat_hash_map<TaskId, uint32_t> recovered_;  // Lists.
  std::deque<uint32_t> sweeps_;                      // Lists, each once.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_DEPENDENCY_TABLE_H_
