#include <algorithm>
#include <utility>

#include "services/platform/status.h"
#include "tests/simulation/inputs/engine_walk.h"

// What users do: they spawn, ask again for the same, and control tasks and trees.
namespace kantoku::inputs::testing {

using absl::Milliseconds;
using absl::Seconds;

void EngineWalk::Spawn() {
  Submission submission{.name_space = Chance(50) ? "even" : "odd",
                        .owner = Chance(50) ? "anna" : "bert",
                        .request = {random_(), random_()},
                        .content = {random_(), random_()}};
  const uint64_t count = 1 + Pick(5);
  for (uint64_t i = 0; i < count; ++i) {
    TaskSpec spec{.type = TypeOf(Pick(kTypes)), .priority = static_cast<int32_t>(Pick(3))};
    if (Chance(20)) spec.reference = "reference-" + std::to_string(Pick(8));
    if (!spec.reference.empty()) {
      spec.hashes = std::make_shared<const SpecHashes>(SpecHashes{Pick(2)});
    }
    if (Chance(20)) spec.not_before = now_.wall + Milliseconds(Pick(60'000)) - Seconds(10);
    spec.timeout_ms = static_cast<uint32_t>(1'000 + Pick(60'000));
    if (Chance(10)) spec.timeout_ms = kNoTimeout;
    if (Chance(10)) spec.expire_at = now_.wall + Seconds(Pick(120));
    if (Chance(10)) spec.total_timeout_ms = 1'000 + Pick(300'000);
    spec.retry.max_attempts = static_cast<uint32_t>(1 + Pick(4));
    spec.retry.initial_backoff_ms = static_cast<uint32_t>(Pick(3) * 3'000);
    if (const auto parent = AnyTask(); parent.has_value() && Chance(25)) {
      spec.parent = *parent;
      if (const auto known = tasks_.find(*parent); known != tasks_.end() && Chance(60)) {
        spec.root = known->second.root.empty() ? *parent : known->second.root;
      }
      if (Chance(5)) spec.root = *AnyTask();
    }
    spec.stored_bytes = static_cast<uint32_t>(Pick(200));
    Place(spec);
    Depend(spec, i);
    NameKeys(spec);
    Describe(spec);
    MakePure(submission, spec);
    submission.specs.push_back(std::move(spec));
  }
  Submit(submission);
}

void EngineWalk::RepeatSpawn() {
  if (submissions_.empty()) return;
  Submission& submission =
      submissions_[submissions_.size() - 1 - Pick(std::min<size_t>(submissions_.size(), 40))];
  if (Chance(20)) {
    Submission other = submission;
    other.content = {random_(), random_()};
    return Submit(other);
  }
  Submit(submission);
}

void EngineWalk::Submit(Submission& submission) {
  const auto recorded = std::ranges::find_if(records_.requests, [&](const auto& entry) {
    return entry.second.request == submission.request;
  });
  const bool known = recorded != records_.requests.end() && committing_.empty();
  const bool same = known && recorded->second.content == submission.content;
  const size_t pending = engine_->pending();
  SpawnCommand command{.name_space = submission.name_space,
                       .owner = submission.owner,
                       .request = submission.request,
                       .content = submission.content,
                       .specs = submission.specs,
                       .random = random_()};
  const auto ended = EndsOf(command);
  command.ended = &ended;
  const auto outcome = engine_->Spawn(command, now_, open_.effects);
  if (!outcome.ok()) {
    const std::string reason = platform::ReasonOf(outcome.status());
    const bool reused = reason == "REQUEST_ID_REUSED";
    if (reason == "PLACEMENT_LIMIT") ++counts_["selectors refused"];
    if (reason == "DEPENDENCY_LIMIT") ++counts_["dependencies refused"];
    if (reason == "INFO_LIMIT") ++counts_["info refused"];
    Expect(reused || reason == "PLACEMENT_LIMIT" || reason == "DEPENDENCY_LIMIT" ||
               reason == "INFO_LIMIT" || pending + submission.specs.size() > options_.max_pending,
           "a spawn is refused for a cause");
    Expect(!same, "a known request is answered, whatever the load");
    Expect(engine_->pending() == pending, "a refused batch leaves nothing behind");
    return;
  }
  Expect(outcome->repeated || !known, "a known request is not run again");
  Expect(!known || same, "a request id is not used for another batch");
  if (outcome->repeated) {
    // Forgotten and spawned anew, but not yet committed: the ids are not known here.
    if (!known) return;
    ++counts_["repeated"];
    for (size_t i = 0; i < submission.ids.size(); ++i) {
      Expect(outcome->items[i].id == submission.ids[i], "a repeated request gets the same ids");
    }
    return;
  }
  CheckKin(submission, *outcome);
  CheckDependencies(submission, command, *outcome);
  NoteKeys(submission, *outcome);
  bool has_room = false;
  for (const auto& item : outcome->items) {
    if (QuotaBook::IsRefusal(item.refusal)) ++counts_["no room"];
    has_room = has_room || !QuotaBook::IsRefusal(item.refusal);
  }
  if (!has_room) return;  // It may be sent again as it is.
  for (size_t i = 0; i < outcome->items.size(); ++i) {
    if (outcome->items[i].created) {
      placements_[outcome->items[i].id] = submission.specs[i].placement;
      NoteDeadlines(outcome->items[i].id, submission.specs[i]);
      if (submission.specs[i].info != nullptr) {
        infos_[outcome->items[i].id] = *submission.specs[i].info;
      }
    }
  }
  open_.checks.push_back([this, submission, outcome = *outcome, then = moment_] {
    CheckReused(submission, outcome, then);
  });
  open_.on_commit.push_back([this, submission, outcome = *outcome, then = moment_]() mutable {
    records_.AddSpecs(submission.name_space, submission.owner, submission.specs, outcome);
    submission.ids.clear();
    for (size_t i = 0; i < outcome.items.size(); ++i) {
      submission.ids.push_back(outcome.items[i].id);
      ++counts_[!outcome.items[i].refusal.empty() ? std::string(outcome.items[i].refusal)
                : outcome.items[i].created        ? "created"
                : outcome.items[i].reused         ? "result reused"
                                                  : "reference taken"];
      if (!outcome.items[i].created) continue;
      const TaskSpec& spec = submission.specs[i];
      const ModelTask task{.reference = spec.reference,
                           .root = outcome.items[i].root,
                           .name_space = submission.name_space,
                           .owner = submission.owner,
                           .equal = spec.equal,
                           .retention_s = spec.retention_s,
                           .created = then};
      Expect(tasks_.emplace(outcome.items[i].id, task).second, "an id is given once");
      recent_.push_back(outcome.items[i].id);
    }
    std::erase_if(submissions_, [&](const Submission& forgotten) {
      return forgotten.request == submission.request;
    });
    submissions_.push_back(std::move(submission));
  });
}

// Of a batch that was accepted now.
void EngineWalk::CheckKin(const Submission& submission, const SpawnOutcome& outcome) {
  for (size_t i = 0; i < outcome.items.size(); ++i) {
    const SpawnOutcome::Item& item = outcome.items[i];
    const TaskSpec& spec = submission.specs[i];
    if (item.created) {
      const auto view = engine_->Find(item.id);
      Expect(view->parent == spec.parent && view->root == item.root, "a child has its kin");
      Expect(item.root.empty() == spec.parent.empty(), "who has a parent is in a tree");
      if (item.root.empty() || !marks_.contains(item.root)) continue;
      Expect(!Stops(marks_.at(item.root)), "nobody joins a tree that is being stopped");
      if (view->state == TaskState::kSettling) continue;  // For what it depends on.
      Expect((view->state == TaskState::kPaused) == (marks_.at(item.root) == ControlVerb::kPause),
             "who joins a paused tree is paused");
    } else if (item.refusal == SpawnOutcome::kParentUnknown) {
      const auto parent = engine_->Find(spec.parent);
      Expect(!parent.has_value() || parent->owner != submission.owner ||
                 parent->name_space != submission.name_space,
             "a parent that lives is known");
    }
  }
}

void EngineWalk::Control() {
  auto task = AnyTask();
  if (!task.has_value()) return;
  constexpr std::array kVerbs = {
      ControlVerb::kCancel, ControlVerb::kCancel, ControlVerb::kInterrupt, ControlVerb::kPause,
      ControlVerb::kPause,  ControlVerb::kResume, ControlVerb::kResume,    ControlVerb::kStep};
  ControlCommand command{.task = *task, .verb = kVerbs[Pick(kVerbs.size())]};
  if (Chance(60)) {  // Who pauses a handler mostly wants it back.
    for (const TaskView& view : Living()) {
      if (view.state != TaskState::kPaused || view.session.empty()) continue;
      command = {.task = view.id, .verb = ControlVerb::kResume};
      task = view.id;
    }
  }
  if (Chance(50)) command.escalation = Seconds(Pick(10));
  if (Chance(30)) return ControlTree(command);
  const auto before = engine_->Find(*task);
  const auto state = engine_->Control(command, now_, open_.effects);
  if (!before.has_value()) {
    Expect(platform::ReasonOf(state.status()) == "NO_SUCH_TASK",
           "only living tasks are controlled");
    return;
  }
  const auto view = engine_->Find(*task);
  const bool stops = Stops(command.verb);
  if (!state.ok()) {
    Expect(!stops, "a living task can be stopped");
    Expect(view->state == before->state, "a refused control changes nothing");
    ++counts_["refused control"];
    return;
  }
  Expect(view.has_value() && view->state == *state, "control tells the state");
  if (!stops) {
    ++counts_[command.verb == ControlVerb::kPause    ? "paused"
              : command.verb == ControlVerb::kResume ? "resumed control"
                                                     : "stepped"];
    return;
  }
  ++counts_["cancelled"];
  Expect((*state == TaskState::kSettling) == view->session.empty(),
         "an executor is asked exactly when one holds the task");
  Expect(*state == TaskState::kSettling || *state == TaskState::kCancelling ||
             *state == TaskState::kInterrupting,
         "a cancelled task waits no more");
}

void EngineWalk::ControlTree(const ControlCommand& alone) {
  ControlCommand command = alone;
  command.tree = true;
  if (const auto known = tasks_.find(command.task);
      known != tasks_.end() && !known->second.root.empty()) {
    command.task = known->second.root;
  }
  const auto state = engine_->Control(command, now_, open_.effects);
  if (!state.ok()) {
    ++counts_["refused tree"];
    return;
  }
  ++counts_["tree"];
  if (command.verb == ControlVerb::kStep) return;
  const TaskId root = command.task;
  marks_[root] = command.verb;
  open_.on_commit.push_back([this, root, verb = command.verb] { marks_for_good_[root] = verb; });
  if (!Chance(10)) return;
  EndGroup();  // Recorded, and not yet heard by all.
  CommitAll();
  ++counts_["crash in a sweep"];
  Crash();
}

}  // namespace kantoku::inputs::testing
