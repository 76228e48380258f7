#include <algorithm>
#include <functional>

#include "tests/simulation/inputs/engine_walk.h"

// Tasks of effect PURE, and those that take the result of an equal one.
namespace kantoku::inputs::testing {

void EngineWalk::MakePure(const Submission& submission, TaskSpec& spec) {
  if (!Chance(50)) return;
  spec.effect = Effect::kPure;
  // Of arguments the result follows as well: such a task is equal to none.
  if (std::ranges::any_of(spec.dependencies, &Dependency::argument)) return;
  spec.equal = {std::hash<std::string>()(submission.name_space + submission.owner + spec.type),
                1 + Pick(3)};
  spec.retention_s = static_cast<uint32_t>(1 + Pick(Chance(50) ? 40 : 4'000));
  if (Chance(30)) return;
  spec.reuse_within_ms = static_cast<uint32_t>(1 + Pick(Chance(50) ? 60'000 : 600'000));
  // After what lives nothing is reused.
  const auto ended = std::ranges::find_if(recent_.rbegin(), recent_.rend(), [&](const TaskId& id) {
    const ModelTask& task = tasks_.at(id);
    return task.ends > 0 && task.owner == submission.owner &&
           task.name_space == submission.name_space;
  });
  if (spec.dependencies.empty() || ended == recent_.rend() || Chance(65)) return;
  spec.dependencies.resize(1);
  spec.dependencies[0].task = *ended;
  spec.dependencies[0].place = 0;
}

bool EngineWalk::Put(const TaskId& task, uint32_t dispatch) {
  if (!outputs_.Put(task, dispatch)) return false;
  put_at_.try_emplace(task, moment_.real);
  return true;
}

// Of a batch that is committed now and was accepted at `then`.
void EngineWalk::CheckReused(const Submission& submission, const SpawnOutcome& outcome,
                             const Moment& then) {
  for (size_t i = 0; i < outcome.items.size(); ++i) {
    const SpawnOutcome::Item& item = outcome.items[i];
    const TaskSpec& spec = submission.specs[i];
    if (!item.reused) continue;
    Expect(!item.created && spec.reuse_within_ms > 0, "who did not ask for it reuses nothing");
    const auto task = tasks_.find(item.id);
    Expect(task != tasks_.end() && task->second.equal == spec.equal, "an equal task is reused");
    Expect(task->second.ends == 1 && outputs_.end(item.id) == TaskState::kSucceeded,
           "a result that is there is reused");
    // After a restart under another clock nobody knows better.
    const absl::Duration set = then.clock_set - task->second.created.clock_set;
    Expect(then.real < put_at_.at(item.id) + absl::Seconds(task->second.retention_s) + set,
           "a result that is reused is still held");
    Expect(then.real < task->second.ended + absl::Milliseconds(spec.reuse_within_ms) + set,
           "a result that is reused is young enough");
  }
}

}  // namespace kantoku::inputs::testing
