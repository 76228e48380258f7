#include <algorithm>

#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"

// Results of PURE tasks that later ones ask for instead of running. Only tasks of effect PURE are
// looked at: all others cost a flag.
namespace kantoku::inputs {

using platform::Now;

namespace {

// An answer that is given leaves some time to read the result.
absl::Duration SpareOf(absl::Duration retention) {
  return std::min(absl::Minutes(1), retention / 10);
}

}  // namespace

// How long Outputs holds a result counts from the Put, of which Inputs hears at some time later. It
// was not before the first dispatch, nor, where a restart lies between, before the spawn.
void Engine::NoteNoResultYet(const Task& task, const Now& now) {
  pures_.at(task.key()).result_after = AgeTime(now);
}

void Engine::KeepForReuse(const Task& task, const Now& now, Effects& effects) {
  const Pure& pure = pures_.at(task.key());
  const absl::Time result_after = std::min(pure.result_after, AgeTime(now));
  const absl::Duration retention = absl::Seconds(task.retention_s);
  const ReuseRecord record{.task = task.id,
                           .equal = pure.equal,
                           .ended = AgeTime(now),
                           .held_until = result_after + retention - SpareOf(retention)};
  if (record.held_until <= AgeTime(now)) return;
  if (const auto replaced = reuse_.Add(record)) effects.reuses.push_back({*replaced, std::nullopt});
  // By the wall clock, as all that is recorded: a restart ages it by what that shows then.
  const absl::Duration ahead = AgeTime(now) - now.wall;
  effects.reuses.push_back({task.key(), record});
  effects.reuses.back().record->ended -= ahead;
  effects.reuses.back().record->held_until -= ahead;
}

// Of who depends on others these have ended: what is reused is spared a run, and nothing else.
TaskId Engine::FindReusable(const TaskSpec& spec, const Now& now) const {
  if (spec.reuse_within_ms == 0) return TaskId();
  const ReuseRecord* const record = reuse_.Find(spec.equal);
  if (record == nullptr) return TaskId();
  // Outputs may measure by a wall clock that was set meanwhile.
  const absl::Time age = AgeTime(now);
  const bool held =
      record->held_until > std::max(age, now.wall) || KANTOKU_PLANTED("reuse outlives the result");
  const bool young = age - record->ended < absl::Milliseconds(spec.reuse_within_ms) ||
                     KANTOKU_PLANTED("reuse ignores the age");
  return held && young ? record->task : TaskId();
}

void Engine::ForgetReusable(const Now& now, Effects& effects) {
  if (KANTOKU_PLANTED("reuse outlives the result")) return;
  while (const auto task = reuse_.TakeExpired(AgeTime(now))) {
    effects.reuses.push_back({*task, std::nullopt});
  }
}

void Engine::RecoverReuse(const ReuseRecord& record) { reuse_.Add(record); }

}  // namespace kantoku::inputs
