#include "tests/simulation/world/model.h"

// Times by which tasks are to have begun, or to have ended: by what the wall clock showed when
// their group ended.
namespace kantoku::simulation {
namespace {

absl::Time BeginBy(const ModelTask& task) {
  return task.spec->expire_at.value_or(absl::InfiniteFuture());
}

absl::Time EndBy(const ModelTask& task) {
  const uint64_t total = task.spec->total_timeout_ms;
  return total == 0 ? absl::InfiniteFuture() : task.id.time() + absl::Milliseconds(total);
}

}  // namespace

void Model::CheckInTime(const ModelTask& task) const {
  scene_.Expect(wall_at_end_ < BeginBy(task), "what has expired is not dispatched");
  scene_.Expect(wall_at_end_ < EndBy(task), "what has no time left is not dispatched");
}

void Model::CheckLateness(const ModelTask& task, const inputs::StateRecord& record) const {
  if (!record.intended_end.has_value() || task.intended_end.has_value()) return;
  if (record.last_failure.reason == "TOTAL_TIMEOUT") {
    scene_.coverage.Count(Deed::kNoTimeLeft);
    scene_.Expect(EndBy(task) <= latest_wall_, "who has time left goes on");
  }
  if (record.last_failure.reason != "EXPIRED") return;
  scene_.coverage.Count(Deed::kExpired);
  scene_.Expect(BeginBy(task) <= latest_wall_, "what has not expired waits on");
  const auto running = running_at_end_.find({task.id.key(), task.dispatch});
  const bool runs = running != running_at_end_.end() && running->second;
  const bool failed = record.failed_attempts > task.failed_attempts &&
                      record.attempts.back().failure.reason != "EXPIRED";
  scene_.Expect(!runs || failed || IsExpelled(task), "who has begun in time goes on to his end");
}

void Model::CheckDeadlines() const {
  for (const TaskKey key : living_) {
    const ModelTask& task = Living(key);
    if (task.intended_end.has_value()) continue;
    scene_.Expect(wall_at_end_ < EndBy(task), "what has no time left ends");
    scene_.Expect(wall_at_end_ < BeginBy(task) || task.holder != 0,
                  "what waits and has expired ends");
  }
}

}  // namespace kantoku::simulation
