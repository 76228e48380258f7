#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_DEADLINE_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_DEADLINE_BOOK_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Times by which living tasks are to have begun, or to have ended. By the wall clock, as they
// outlast the steady one.
//
// Thread-compatible.
class DeadlineBook {
 public:
  enum class Kind : uint8_t { kBegin, kEnd };
  struct Passed {
    TaskKey task;
    absl::Time time;
    Kind kind;
  };

  // A task that was spawned at this time; whether it has any.
  bool Add(TaskKey task, const TaskSpec& spec, absl::Time spawned);
  // Of a task that has; it has ended.
  void Forget(TaskKey task);

  // One that has passed by then, the earliest first, each once; nullopt: none.
  std::optional<Passed> TakePassed(absl::Time wall);
  // The earliest that has not; infinite: none.
  absl::Time next() const;
  // Of a task that has any: whether the time to begin was taken.
  bool HasExpired(TaskKey task) const { return deadlines_.at(task).expired; }

 private:
  struct Deadlines {
    absl::Time begin_by = absl::InfiniteFuture();
    absl::Time end_by = absl::InfiniteFuture();
    bool expired = false;
  };

  absl::flat_hash_map<TaskKey, Deadlines> deadlines_;
  absl::btree_set<std::pair<absl::Time, TaskKey>> ahead_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_DEADLINE_BOOK_H_
