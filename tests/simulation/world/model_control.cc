#include <algorithm>
#include <iterator>
#include <utility>

#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/names.h"

// What was asked of tasks and of whole trees, and what may happen to them since.
namespace kantoku::simulation {

using inputs::ControlVerb;

// ---- Trees ----

bool Model::IsStopping(const TaskId& root) const {
  const auto tree = trees_.find(root.key());
  return tree != trees_.end() && tree->second.mark.has_value() && inputs::Stops(*tree->second.mark);
}

// A task without kin is a tree of one: it may be asked as a tree, and get children later.
void Model::Joined(ModelTask& task) {
  const ModelTask* const parent = Find(task.parent);
  if (IsStopping(TreeOf(task))) stopping_trees_.push_back(TreeOf(task).key());
  if (parent != nullptr && parent->cancel_requested) stopping_parents_.push_back(parent->id.key());
  scene_.Expect(parent == nullptr || (TreeOf(*parent) == task.root && parent->owner == task.owner &&
                                      parent->name_space == task.name_space),
                "a child is of the tree of its parent");
  Tree& tree = trees_[TreeOf(task).key()];
  if (!task.root.empty() && task.spec->restarted_from.empty()) {
    scene_.Expect(!tree.members.empty(), "nobody is spawned into a tree of which nobody lives");
  }
  tree.root = TreeOf(task);
  tree.members.insert(task.id.key());
  task.must_pause = tree.mark == ControlVerb::kPause;
}

void Model::LeaveTree(const ModelTask& task) {
  const auto tree = trees_.find(TreeOf(task).key());
  tree->second.members.erase(task.id.key());
  if (tree->second.members.empty()) trees_.erase(tree);
}

void Model::TreeWritten(TaskKey root, std::string_view bytes) {
  const auto record = inputs::DecodeTree(bytes);
  const auto found = trees_.find(root);
  scene_.Expect(record.ok() && found != trees_.end() && found->second.root == record->root,
                "only trees of which somebody lives are asked");
  if (!record.ok() || found == trees_.end()) return;
  Tree& tree = found->second;
  const bool stopping = tree.mark.has_value() && inputs::Stops(*tree.mark);
  scene_.Expect(!stopping || inputs::Stops(record->verb), "a tree that is being stopped stays so");
  scene_.Expect(tree.mark != ControlVerb::kInterrupt || record->verb == ControlVerb::kInterrupt,
                "an interrupt of a tree stays asked for");
  if (record->swept) {
    scene_.Expect(tree.mark == record->verb, "only what a tree was asked is heard by all");
    swept_trees_.push_back(root);
    tree.swept = true;
    return;
  }
  if (std::exchange(tree.mark, record->verb) != record->verb) scene_.CountStep();
  tree.swept = false;
  for (const TaskKey key : tree.members) {
    ModelTask& member = *Find(key);
    const bool paused = member.pause_requested && !member.stepping;
    member.must_pause = record->verb == ControlVerb::kPause && !paused;
    fair_turns_.Left(key);
    if (record->verb != ControlVerb::kResume) LeaveTurn(member);
  }
}

void Model::TreeErased(TaskKey root) {
  const auto found = trees_.find(root);
  if (found == trees_.end()) return;
  erased_trees_.emplace_back(root, std::exchange(found->second.mark, std::nullopt));
  for (const TaskKey key : found->second.members) {
    if (created_.contains(key)) Find(key)->must_pause = false;
  }
}

bool Model::BeganAnew(TaskKey root) const {
  const auto tree = trees_.find(root);
  return tree == trees_.end() || std::ranges::all_of(tree->second.members, [this](TaskKey member) {
           return created_.contains(member);
         });
}

void Model::CheckTrees() {
  for (const TaskKey root : stopping_trees_) {
    scene_.Expect(BeganAnew(root), "nobody is spawned into a tree that is being stopped");
  }
  for (const TaskKey key : stopping_parents_) {
    const ModelTask* const parent = Find(key);  // It may have ended, in this batch too.
    scene_.Expect(parent == nullptr || parent->end.has_value(),
                  "nobody is spawned below a task that is being stopped");
  }
  for (const TaskKey root : swept_trees_) {
    const auto tree = trees_.find(root);
    if (tree == trees_.end() || !tree->second.mark.has_value()) continue;
    for (const TaskKey key : tree->second.members) {
      const ModelTask& member = *Find(key);
      const bool stops = member.cancel_requested || member.intended_end.has_value();
      scene_.Expect(inputs::Stops(*tree->second.mark) ? stops : stops || !member.must_pause,
                    "everybody in a tree has heard when that is on record");
    }
  }
  for (const auto& [root, mark] : erased_trees_) {
    scene_.Expect(mark == ControlVerb::kResume || BeganAnew(root),
                  "what a tree was asked stays on record as long as somebody in it lives");
  }
}

void Model::CheckHeard() const {
  const absl::Duration long_ago = scene_.clock.Read().steady - kLongestEscalation;
  for (const auto& [number, session] : sessions_) {
    for (const TaskKey key : session.held) {
      const ModelTask& task = tasks_.find(key)->second;
      // How long somebody had before a restart goes by the wall clock, which may have been set.
      scene_.Expect(!task.cancel_requested || task.cancelled_at <= inputs_started_ ||
                        task.cancelled_at >= long_ago,
                    "who does not stop in time is overruled");
    }
  }
  for (const auto& [root, tree] : trees_) {
    scene_.Expect(!tree.mark.has_value() || tree.swept,
                  "whoever is in a tree hears what that was asked");
  }
}

// ---- Types and namespaces, and limits ----

void Model::AdmissionWritten(uint64_t number, std::string_view bytes) {
  const auto record = inputs::DecodeAdmission(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  if (const auto* const limit = std::get_if<inputs::LimitRecord>(&*record)) {
    if (rules_.LimitSet(number, *limit) && !limit->transient) scene_.CountStep();
    return;
  }
  const auto* const pause = std::get_if<inputs::PauseRecord>(&*record);
  ++pause_changes_;
  pauses_[number] = {pause->name_space, pause->type};
  if (paused_lanes_.insert(pauses_[number]).second) scene_.CountStep();
}

void Model::AdmissionErased(uint64_t number) {
  const inputs::LimitRecord* const limit = rules_.LimitOf(number);
  if (limit != nullptr) {
    if (!limit->transient) scene_.CountStep();
    return rules_.LimitGone(number);
  }
  const auto pause = pauses_.find(number);
  if (pause == pauses_.end()) return;
  ++pause_changes_;
  scene_.CountStep();
  paused_lanes_.erase(pause->second);
  pauses_.erase(pause);
}

// ---- Tasks ----

void Model::ControlWritten(ModelTask& task, const inputs::StateRecord& record) {
  scene_.Expect(record.cancel_requested || !task.cancel_requested, "a cancel stays asked for");
  scene_.Expect(record.interrupt_requested || !task.interrupt_requested,
                "an interrupt stays asked for");
  scene_.Expect(record.cancel_requested || !record.interrupt_requested,
                "what is interrupted is being stopped");
  scene_.Expect(record.pause_requested || !record.stepping, "only what is paused steps");
  if (!task.cancel_requested) task.cancelled_at = scene_.clock.Read().steady;
  task.cancel_requested = record.cancel_requested;
  task.interrupt_requested = record.interrupt_requested;
  task.pause_requested = record.pause_requested;
  task.stepping = record.stepping;
  if (!record.pause_requested) return;
  task.must_pause = false;
  LeaveTurn(task);
}

void Model::CheckMayGo(const ModelTask& task) const {
  scene_.Expect(!task.cancel_requested, "a cancelled task is not dispatched");
  scene_.Expect(!IsStopping(TreeOf(task)), "nothing begins in a tree that is being stopped");
  scene_.Expect(!task.pause_requested || task.stepping, "a paused task is not dispatched");
  scene_.Expect(!IsPaused(LaneOf(task)), "nothing of a paused type or namespace is dispatched");
  scene_.Expect(!task.must_pause, "nothing begins in a paused tree before it has heard");
}

const ModelTask* Model::AnyLiving(Random& random) const {
  if (living_.empty()) return nullptr;
  auto living = living_.lower_bound(recent_[random.Pick(recent_.size())].key());
  if (living == living_.end()) living = living_.begin();
  return &tasks_.find(*living)->second;
}

const ModelTask* Model::AnyHeld(Random& random) const {
  if (sessions_.empty()) return nullptr;
  const auto session =
      std::next(sessions_.begin(), static_cast<std::ptrdiff_t>(random.Pick(sessions_.size())));
  const std::set<TaskKey>& held = session->second.held;
  if (held.empty()) return nullptr;
  const auto task = std::next(held.begin(), static_cast<std::ptrdiff_t>(random.Pick(held.size())));
  return &tasks_.find(*task)->second;
}

const ModelTask* Model::AnyDead(Random& random) const {
  const auto begin = rows_.lower_bound({true, 0});
  const auto rows = static_cast<uint64_t>(std::distance(begin, rows_.end()));
  if (rows == 0) return nullptr;
  const std::vector<TaskKey>& keys =
      std::next(begin, static_cast<std::ptrdiff_t>(random.Pick(rows)))->second;
  return keys.empty() ? nullptr : &tasks_.find(keys[random.Pick(keys.size())])->second;
}

std::vector<TaskId> Model::PausedTasks() const {
  std::vector<TaskId> paused;
  for (const TaskKey key : living_) {
    const ModelTask& task = tasks_.find(key)->second;
    if (task.pause_requested && !task.cancel_requested) paused.push_back(task.id);
  }
  return paused;
}

std::vector<TaskId> Model::PausedTrees() const {
  std::vector<TaskId> paused;
  for (const auto& [key, tree] : trees_) {
    if (tree.mark == ControlVerb::kPause)
      paused.push_back(tasks_.find(*tree.members.begin())->second.id);
  }
  return paused;
}

}  // namespace kantoku::simulation
