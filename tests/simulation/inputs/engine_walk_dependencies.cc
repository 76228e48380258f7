#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "tests/simulation/inputs/engine_walk.h"

// Tasks that depend on others, with a model of its own of what that must come to.
namespace kantoku::inputs::testing {

void EngineWalk::Depend(TaskSpec& spec, uint64_t place) {
  if (Chance(65)) return;
  constexpr std::array kWays = {OnFailure::kFail, OnFailure::kSkip, OnFailure::kRun};
  for (uint64_t count = 1 + Pick(3); count > 0; --count) {
    Dependency dependency{.on_failure = kWays[Pick(kWays.size())], .argument = Chance(30)};
    if (place > 0 && Chance(50)) {
      dependency.place = static_cast<uint32_t>(Pick(place));
    } else if (!recent_.empty() && Chance(50)) {  // For which many wait.
      dependency.task = recent_[recent_.size() / 8 * 8 - (recent_.size() >= 8 ? 1 : 0)];
    } else if (const auto task = AnyTask(); task.has_value()) {
      dependency.task = *task;
    } else {
      continue;
    }
    const auto same = [&](const Dependency& other) {
      return other.task == dependency.task && other.place == dependency.place;
    };
    if (std::ranges::none_of(spec.dependencies, same)) spec.dependencies.push_back(dependency);
  }
}

absl::flat_hash_map<TaskId, TaskState> EngineWalk::EndsOf(const SpawnCommand& command) {
  absl::flat_hash_map<TaskId, TaskState> ended;
  for (const TaskId& id : engine_->EndedDependencies(command)) {
    Expect(!engine_->Find(id).has_value(), "only ended tasks are asked about");
    const auto task = tasks_.find(id);
    const auto end = outputs_.end(id);
    if (task == tasks_.end() || !end.has_value()) continue;
    if (task->second.owner != command.owner || task->second.name_space != command.name_space) {
      continue;
    }
    const bool in_history =
        engine_->FindHistory(id.key()).has_value() || engine_->FindDead(id.key()).has_value();
    if (in_history || Chance(70)) ended[id] = *end;  // Else Outputs has forgotten it, too.
  }
  return ended;
}

void EngineWalk::CheckDependencies(const Submission& submission, const SpawnCommand& command,
                                   const SpawnOutcome& outcome) {
  const auto known = [&](const TaskId& id) {
    const auto view = engine_->Find(id);
    if (!view.has_value()) return command.ended->contains(id);
    return view->owner == submission.owner && view->name_space == submission.name_space;
  };
  std::set<TaskId> reused;  // However an item names it.
  for (const SpawnOutcome::Item& item : outcome.items) {
    if (item.reused) reused.insert(item.id);
  }
  const auto known_now = [&](const TaskId& id) { return reused.contains(id) || known(id); };
  const auto lets_run = [&](const Dependency& dependency) {
    const auto end = outputs_.end(dependency.task);
    return !engine_->Find(dependency.task).has_value() && end.has_value() &&
           (*end == TaskState::kSucceeded || dependency.on_failure == OnFailure::kRun);
  };
  for (size_t i = 0; i < outcome.items.size(); ++i) {
    const SpawnOutcome::Item& item = outcome.items[i];
    std::vector<Dependency> dependencies = submission.specs[i].dependencies;
    bool refused = false;
    for (Dependency& dependency : dependencies) {
      if (!dependency.task.empty()) continue;
      const SpawnOutcome::Item& other = outcome.items[dependency.place];
      dependency.task = other.id;
      if (item.created && other.reused) ++counts_["depends on what was reused"];
      refused = refused || !other.refusal.empty() || !other.conflict.empty();
    }
    if (item.refusal == SpawnOutcome::kDependencyRefused) {
      Expect(refused, "who depends on what was taken is taken");
    } else if (item.refusal == SpawnOutcome::kDependencyUnknown) {
      Expect(!std::ranges::all_of(dependencies, known_now, &Dependency::task),
             "a dependency that is known is known");
    } else if (item.created) {
      Expect(!refused && std::ranges::all_of(dependencies, known_now, &Dependency::task),
             "who depends on nothing that is there is refused");
      if (!dependencies.empty()) dependencies_[item.id] = std::move(dependencies);
    } else if (item.reused) {
      Expect(!refused && std::ranges::all_of(dependencies, lets_run),
             "a result is reused once all that it comes after have ended as they should");
      if (!dependencies.empty()) ++counts_["reused after others"];
    }
  }
}

void EngineWalk::CheckMayRun(const TaskId& task) {
  const auto found = dependencies_.find(task);
  if (found == dependencies_.end()) return;
  ++counts_["ran after others"];
  for (const Dependency& dependency : found->second) {
    const auto end = outputs_.end(dependency.task);
    Expect(end.has_value(), "a task runs after all that it depends on");
    Expect(*end == TaskState::kSucceeded || dependency.on_failure == OnFailure::kRun,
           "a task does not run after what failed, unless it wants to");
  }
}

void EngineWalk::CheckBlocked(const TaskView& view) {
  const auto found = dependencies_.find(view.id);
  const bool waits = view.open_dependencies > 0;
  if (found == dependencies_.end()) return Expect(!waits, "who depends on nothing waits for none");
  if (waits) {
    Expect(view.state == TaskState::kBlocked || view.state == TaskState::kPaused,
           "who waits for others is blocked");
    ++counts_["blocked"];
  } else {
    Expect(view.state != TaskState::kBlocked, "who waits for nobody is not blocked");
  }
  if (engine_->NextWake(now_) <= now_.steady) return;  // Not everybody has heard.
  const auto lives = [&](const Dependency& dependency) {
    return engine_->Find(dependency.task).has_value();
  };
  if (view.state == TaskState::kSettling) return;
  Expect(view.open_dependencies == std::ranges::count_if(found->second, lives),
         "a task waits for those of its dependencies that live");
}

// Once everything has ended: who ended so for others had a cause, and nobody ran who had one.
void EngineWalk::CheckSkipped(const TaskView& view) {
  const bool failed = view.last_failure.reason == "DEPENDENCY_FAILED";
  const bool skipped = view.last_failure.reason == "SKIPPED";
  if (!failed && !skipped) return;
  ++counts_[std::string(view.last_failure.reason)];
  Expect(view.dispatch == 0, "who is given up for others never ran");
  Expect(view.state == (failed ? TaskState::kFailed : TaskState::kCancelled),
         "who is given up ends as it wanted to");
  given_up_[view.id] = failed ? OnFailure::kFail : OnFailure::kSkip;
}

void EngineWalk::CheckGivenUp() const {
  for (const auto& [task, way] : given_up_) {
    const auto found = dependencies_.find(task);
    Expect(found != dependencies_.end(), "who is given up depended on something");
    const auto caused = [this, way = way](const Dependency& dependency) {
      return dependency.on_failure == way && outputs_.end(dependency.task) != TaskState::kSucceeded;
    };
    Expect(std::ranges::any_of(found->second, caused), "who is given up has a cause");
  }
}

}  // namespace kantoku::inputs::testing
