#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/names.h"

// What handlers spawn with their task tokens.
namespace kantoku::simulation {

// The record says for which dispatch it was spawned: HandlerName. All that Inputs knew of the
// parent when it accepted the task was durable before.
void Model::CheckHandler(const ModelTask& child) const {
  const inputs::TaskSpec& spec = *child.spec;
  if (spec.provenance.executor_owner.empty() || !spec.restarted_from.empty()) return;
  const ModelTask* const parent = Find(child.parent);
  scene_.Expect(parent != nullptr && parent->holder != 0 &&
                    spec.provenance.executor_owner == HandlerName(parent->dispatch),
                "a stale task token makes nothing");
  if (parent == nullptr) return;
  scene_.Expect(child.owner == parent->owner && child.name_space == parent->name_space,
                "what a handler spawns belongs to the owner of its task");
  for (const inputs::Dependency& dependency : spec.dependencies) {
    const ModelTask* const other = Find(dependency.task);
    if (other == nullptr) continue;  // Forgotten.
    const bool sibling =
        other->parent == child.parent && !other->spec->provenance.executor_owner.empty();
    const auto& own = parent->spec->dependencies;
    const auto inherited = std::ranges::find(own, dependency.task, &inputs::Dependency::task);
    scene_.Expect(
        sibling || (inherited != own.end() && (inherited->argument || !dependency.argument)),
        "a handler names its own tasks, and results that it has been given");
  }
}

}  // namespace kantoku::simulation
