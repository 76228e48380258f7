#include <algorithm>

#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"

// Dead tasks that run anew: each has one successor at most, which is of the same kin and asks for
// the same.
namespace kantoku::simulation {

using inputs::Dependency;
using inputs::OnFailure;

namespace {

// Pointers to equal things, or none.
template <typename Pointer>
bool AreEqual(const Pointer& a, const Pointer& b) {
  return a == nullptr || b == nullptr ? a == b : *a == *b;
}

bool AsksForTheSame(const inputs::TaskSpec& a, const inputs::TaskSpec& b) {
  return a.type == b.type && a.reference == b.reference && a.priority == b.priority &&
         a.not_before == b.not_before && a.timeout_ms == b.timeout_ms &&
         a.retention_s == b.retention_s && a.retry == b.retry && a.effect == b.effect &&
         a.reuse_within_ms == b.reuse_within_ms && a.equal == b.equal &&
         a.provenance.executor_owner == b.provenance.executor_owner &&
         AreEqual(a.placement, b.placement) && AreEqual(a.keys, b.keys);
}

}  // namespace

std::vector<const ModelTask*> Model::Dead() const {
  std::vector<const ModelTask*> dead;
  for (auto row = rows_.lower_bound({true, 0}); row != rows_.end(); ++row) {
    for (const TaskKey key : row->second) dead.push_back(&tasks_.find(key)->second);
  }
  return dead;
}

TaskId Model::RestartedAs(const TaskId& dead) const {
  const auto found = restarted_as_.find(dead.key());
  return found == restarted_as_.end() ? TaskId() : found->second;
}

bool Model::LeadsTo(TaskId task, const TaskId& newest) const {
  while (!task.empty() && task != newest) task = RestartedAs(task);
  return task == newest;
}

// When a restart was made that depends on it. Each task is named once.
bool Model::IsNewest(const TaskId& task, const inputs::TaskSpec& of_restart) const {
  const TaskId next = RestartedAs(task);
  return next.empty() || created_.contains(next.key()) ||
         std::ranges::any_of(of_restart.dependencies, [&](const Dependency& other) {
           return other.task != task && LeadsTo(task, other.task);
         });
}

void Model::RestartWritten(TaskKey dead, std::string_view bytes) {
  const auto record = inputs::DecodeRestart(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  scene_.Expect(restarted_as_.emplace(dead, record->successor).second,
                "a dead task is restarted once");
  const ModelTask* const again = Find(record->successor);
  scene_.Expect(again != nullptr && again->spec->restarted_from.key() == dead,
                "a restart is recorded together with its task");
}

void Model::CheckRestarts() {
  for (const TaskKey key : restarts_) {
    const ModelTask& again = *Find(key);
    const TaskId& from = again.spec->restarted_from;
    scene_.Expect(RestartedAs(from) == again.id, "a restart is recorded together with its task");
    const ModelTask* const dead = Find(from.key());
    if (dead != nullptr) CheckRestart(*dead, again);  // Else it was forgotten at once.
  }
  for (const TaskKey key : erased_restarts_) {
    scene_.Expect(Find(key) == nullptr, "a restart is known as long as what it repeats");
    restarted_as_.erase(key);
  }
}

void Model::CheckRestart(const ModelTask& dead, const ModelTask& again) const {
  scene_.Expect(dead.end.has_value() && dead.end != TaskState::kSucceeded,
                "only what has failed or was cancelled is restarted");
  scene_.Expect(again.parent == dead.parent && again.root == dead.root_at_end,
                "a restart keeps its kin");
  scene_.Expect(again.name_space == dead.name_space && again.owner == dead.owner &&
                    again.payload == dead.payload && AsksForTheSame(*again.spec, *dead.spec),
                "a restart asks for the same");
  scene_.Expect(again.context == dead.context && again.labels.front() == dead.labels.back(),
                "a restart has the info of the end");
  if (!dead.spec->reference.empty()) {
    const auto held = reference_of_.find(again.id.key());
    scene_.Expect(held != reference_of_.end() && std::get<2>(held->second) == dead.spec->reference,
                  "a restart takes the reference of what it repeats");
  }
  const auto takes_place = [&](const Dependency& before, const Dependency& now) {
    return IsNewest(now.task, *again.spec) && LeadsTo(before.task, now.task) &&
           before.argument == now.argument &&
           (before.on_failure == now.on_failure || now.on_failure == OnFailure::kRun);
  };
  scene_.Expect(std::ranges::equal(dead.spec->dependencies, again.spec->dependencies, takes_place),
                "a restart waits for the restarts of what it waited for");
}

}  // namespace kantoku::simulation
