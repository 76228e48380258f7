#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "services/platform/status.h"
#include "tests/simulation/inputs/engine_walk.h"

// Restarts of dead tasks, held against what the model knows of their chains.
namespace kantoku::inputs::testing {

void EngineWalk::Restart() {
  std::vector<TaskView> dead = engine_->died();
  for (const auto& [row, views] : records_.dead) {
    for (const TaskView& view : views) {
      if (engine_->FindDead(view.id.key()).has_value()) dead.push_back(view);
    }
  }
  if (Chance(30)) {  // Rather one whose tree lives and is asked for something just now.
    std::vector<TaskView> asked;
    std::ranges::copy_if(dead, std::back_inserter(asked), [this](const TaskView& view) {
      return marks_.contains(view.root) && engine_->FindInTree(view.root).has_value() &&
             engine_->RestartedAs(view.id.key()).empty();
    });
    if (!asked.empty()) dead = std::move(asked);
  }
  if (!dead.empty()) RestartDead(TaskView(dead[Pick(dead.size())]));
}

void EngineWalk::RestartDead(const TaskView& dead) {
  const TaskId known = engine_->RestartedAs(dead.id.key());
  Expect(known == tasks_.at(dead.id).restarted_as, "a restart is remembered with its dead task");
  const auto recorded = records_.specs.find(dead.id.key());
  if (!known.empty() || recorded == records_.specs.end()) {
    ++counts_["restarted before"];
    return;
  }
  const TaskSpec spec = engine_->SpecOfRestart(dead, recorded->second.spec);
  const bool joins = !dead.root.empty() && !engine_->FindInTree(dead.root).has_value();
  const auto id = engine_->Restart(dead, spec, random_(), now_, open_.effects);
  if (!id.ok()) {
    ++counts_["restart refused: " + platform::ReasonOf(id.status())];
    return;
  }
  ++counts_["restarted"];
  if (joins) {
    ++counts_["tree lives again"];
    marks_.erase(dead.root);
    open_.on_commit.push_back([this, root = dead.root] { marks_for_good_.erase(root); });
  }
  tasks_[dead.id].restarted_as = *id;
  if (spec.info != nullptr) infos_[*id] = *spec.info;
  if (!spec.dependencies.empty()) dependencies_[*id] = spec.dependencies;
  if (spec.keys != nullptr) {
    keyed_.insert_or_assign(*id, Keyed{dead.name_space, dead.owner, dead.type, spec.keys, 0});
  }
  CheckRestarted(dead, *id, spec);
  open_.on_commit.push_back([this, id = *id, dead, spec, then = moment_] {
    records_.AddSpec(id, dead.name_space, dead.owner, spec);
    tasks_[id] = {.reference = dead.reference,
                  .root = dead.root,
                  .name_space = dead.name_space,
                  .owner = dead.owner,
                  .equal = spec.equal,
                  .retention_s = spec.retention_s,
                  .created = then};
    if (spec.placement != nullptr) placements_[id] = spec.placement;
    NoteDeadlines(id, spec);
    recent_.push_back(id);
  });
}

void EngineWalk::CheckRestarted(const TaskView& dead, const TaskId& id, const TaskSpec& spec) {
  const auto view = engine_->Find(id);
  Expect(view.has_value() && view->restarted_from == dead.id, "a restart tells what it repeats");
  Expect(view->parent == dead.parent && view->root == dead.root, "a restart keeps its kin");
  Expect(view->type == dead.type && view->owner == dead.owner && view->priority == dead.priority &&
             view->reference == dead.reference,
         "a restart asks for the same");
  Expect(view->failed_attempts == 0 && view->dispatch == 0, "a restart begins anew");
  if (!IsFinal(view->state) && view->state != TaskState::kSettling) {
    const bool placed = view->place != nullptr && !view->place->placement.empty();
    Expect((spec.placement != nullptr) == placed, "a restart is placed as before");
  }
  Expect((spec.keys != nullptr) == (view->keys != nullptr), "a restart names the same keys");
  Expect(engine_->RestartedAs(dead.id.key()) == id, "a dead task tells its successor");
}

}  // namespace kantoku::inputs::testing
