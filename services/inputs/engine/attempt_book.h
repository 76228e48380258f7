#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_ATTEMPT_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_ATTEMPT_BOOK_H_

#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// How the failed attempts of living tasks ended, of each the newest kKeptAttempts.
//
// Thread-compatible.
class AttemptBook {
 public:
  void Add(TaskKey task, uint32_t dispatch, absl::Time at, const Failure& failure);
  // What a record tells of a task that has none yet.
  void Recover(TaskKey task, const FailedAttempts& attempts);
  // Null: none are known.
  std::shared_ptr<const FailedAttempts> Of(TaskKey task) const;
  // The task has ended.
  void Forget(TaskKey task) { attempts_.erase(task); }

 private:
  absl::flat_hash_map<TaskKey, std::shared_ptr<const FailedAttempts>> attempts_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_ATTEMPT_BOOK_H_
