#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_TASK_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_TASK_TABLE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/key_map.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

using TaskIndex = uint32_t;
inline constexpr TaskIndex kNoTask = UINT32_MAX;

// A living task, as small as it can be: millions wait in memory. What few tasks have (failure,
// reference, progress) is kept beside the table.
struct Task {
  TaskId id;
  // Wall time (ns): before which it waits; of a held one that is to stop, when that is decided
  // here.
  int64_t wake = 0;
  uint32_t wake_position = 0;  // Place in that heap + 1; 0: in none.
  uint32_t lane = 0;
  uint32_t origin = 0;  // Interned.
  uint32_t policy = 0;  // Interned.
  uint32_t timeout_ms = 0;
  uint32_t stored_bytes = 0;      // Of its spec.
  uint32_t dispatch = 0;          // Number of the latest dispatch.
  uint32_t closed_dispatch = 0;   // This and earlier dispatches are over for Inputs.
  uint32_t fenced_dispatch = 0;   // ... and for Outputs.
  uint32_t group = 0;             // Dispatch group of the latest dispatch, while held.
  SessionNumber session = 0;      // Who holds it.
  TaskIndex next_held = kNoTask;  // Neighbours in the session's list.
  TaskIndex previous_held = kNoTask;
  static constexpr uint32_t kMostFailedAttempts = 1'023;
  static constexpr uint32_t kMostRetention = (1U << 22) - 1;  // Seconds.
  uint32_t retention_s : 22 = 0;
  uint32_t failed_attempts : 10 = 0;
  int16_t priority = 0;
  TaskState state = TaskState::kReady;
  TaskState intended_end = TaskState::kReady;  // While SETTLING.
  bool begun : 1 = false;                      // The held dispatch's handler started.
  bool cancel_requested : 1 = false;
  bool has_state_record : 1 = false;
  bool has_reference : 1 = false;
  bool has_failure : 1 = false;
  bool has_progress : 1 = false;
  bool once : 1 = false;         // Of effect ONCE.
  bool once_begun : 1 = false;   // ... and a handler may have begun: never dispatched again.
  bool backing_off : 1 = false;  // SCHEDULED by a backoff rather than by its spec.
  bool interrupt_requested : 1 = false;  // Goes with cancel_requested.
  bool pause_requested : 1 = false;
  bool stepping : 1 = false;  // Paused, and yet to run as far as its next pause point.
  bool steered : 1 = false;   // The handler of the held dispatch was told something.
  bool has_kin : 1 = false;   // Is in a tree.
  bool pure : 1 = false;      // Of effect PURE: its result is kept for reuse.
  bool has_dependencies : 1 = false;
  bool is_restart : 1 = false;  // Repeats a dead task.
  bool has_info : 1 = false;
  bool has_keys : 1 = false;  // Names keys; see Admission.
  bool withheld : 1 = false;  // ... and is not in its lane's queue for one of them.
  // What it waits for, and has waited for before, is WaitBook's alone; times are milliseconds.
  WaitCause waits_for : 4 = WaitCause::kNone;
  WaitCause waited_for : 4 = WaitCause::kNone;
  bool waited_more : 1 = false;
  // Held since before a restart, and nobody has said yet whether its handler had begun: if it had
  // not, it has waited since waits_since.
  bool unheard : 1 = false;
  bool has_deadline : 1 = false;  // Is to begin, or to end, by some time.
  bool has_order : 1 = false;     // Was not spawned in the order of its key; see TaskTable.
  int64_t waits_since_ms : 40 = 0;
  uint64_t waited_ms : 24 = 0;
  static constexpr int64_t kMostSince = (int64_t{1} << 39) - 1;  // 17 years.
  static constexpr int64_t kMostWaited = (int64_t{1} << 24) - 1;

  TaskKey key() const { return id.key(); }
  // Whether it waits for no more than its turn, its keys included: READY, and closed in Outputs. It
  // is in its lane's queue then, unless it is withheld.
  bool queued() const { return state == TaskState::kReady && fenced_dispatch == dispatch; }
  int64_t waits_since() const { return waits_since_ms; }
  void set_waits_since(int64_t time) { waits_since_ms = std::clamp(time, -kMostSince, kMostSince); }
  // Whether it is not to be dispatched while it waits.
  bool paused() const { return pause_requested && !stepping; }
};
static_assert(sizeof(Task) <= 96);

// Living tasks by key, in the order of their keys. Task indexes and references stay valid until the
// task is erased.
//
// Thread-compatible.
class TaskTable {
 public:
  // `id` must not be there. `order`: where it comes among the others, as if that were its key; 0:
  // as its key says.
  TaskIndex Insert(const TaskId& id, TaskKey order = 0);
  void Erase(TaskIndex index);

  // kNoTask unless the whole id is equal.
  TaskIndex Find(const TaskId& id) const;
  TaskIndex FindKey(TaskKey key) const { return index_.Find(key); }
  // The first task with a key of at least `key`; kNoTask when there is none.
  TaskIndex LowerBound(TaskKey key) const { return index_.LowerBound(key); }

  Task& at(TaskIndex index) { return tasks_[index]; }
  const Task& at(TaskIndex index) const { return tasks_[index]; }
  size_t size() const { return index_.size(); }

  // Of two tasks of a namespace the one that was spawned earlier has the lower one.
  TaskKey OrderOf(const Task& task) const {
    return task.has_order ? orders_.at(task.key()) : task.key();
  }

 private:
  std::deque<Task> tasks_;
  std::vector<TaskIndex> free_;
  KeyMap<TaskIndex, kNoTask, 6> index_;
  absl::flat_hash_map<TaskKey, TaskKey> orders_;  // Of tasks that have one.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_TASK_TABLE_H_
