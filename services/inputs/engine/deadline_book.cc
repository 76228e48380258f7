#include "services/inputs/engine/deadline_book.h"

namespace kantoku::inputs {

bool DeadlineBook::Add(TaskKey task, const TaskSpec& spec, absl::Time spawned) {
  if (!spec.expire_at.has_value() && spec.total_timeout_ms == 0) return false;
  Deadlines& deadlines = deadlines_[task];
  deadlines.begin_by = spec.expire_at.value_or(absl::InfiniteFuture());
  if (spec.total_timeout_ms > 0) {
    deadlines.end_by = spawned + absl::Milliseconds(spec.total_timeout_ms);
  }
  for (const absl::Time time : {deadlines.begin_by, deadlines.end_by}) {
    if (time != absl::InfiniteFuture()) ahead_.emplace(time, task);
  }
  return true;
}

void DeadlineBook::Forget(TaskKey task) {
  const auto found = deadlines_.find(task);
  ahead_.erase({found->second.begin_by, task});
  ahead_.erase({found->second.end_by, task});
  deadlines_.erase(found);
}

// When both are the same it has no time left: that is all that is told.
std::optional<DeadlineBook::Passed> DeadlineBook::TakePassed(absl::Time wall) {
  if (next() > wall) return std::nullopt;
  const auto [time, task] = *ahead_.begin();
  ahead_.erase(ahead_.begin());
  Deadlines& deadlines = deadlines_.at(task);
  deadlines.expired |= time == deadlines.begin_by;
  return Passed{task, time, time == deadlines.end_by ? Kind::kEnd : Kind::kBegin};
}

absl::Time DeadlineBook::next() const {
  return ahead_.empty() ? absl::InfiniteFuture() : ahead_.begin()->first;
}

}  // namespace kantoku::inputs
