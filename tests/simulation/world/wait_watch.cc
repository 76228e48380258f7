#include "tests/simulation/world/wait_watch.h"

#include <cstdlib>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/witness.h"

namespace kantoku::simulation {
namespace {

using inputs::CauseTimes;
using inputs::WaitCause;

// Milliseconds are cut off a few times.
constexpr int64_t kTolerance = 5;

bool IsNear(int64_t a, int64_t b) { return std::abs(a - b) <= kTolerance; }

int64_t SumOf(const CauseTimes& times) {
  return std::accumulate(times.begin(), times.end(), int64_t{0});
}

}  // namespace

void WaitWatch::Look() {
  scene_.coverage.Count(Deed::kWaitsLookedAt);
  server_.Flush();
  if (epoch_ != server_.epoch()) seen_.clear();
  epoch_ = server_.epoch();
  if (std::exchange(clock_was_set_, false)) ages_known_since_ = scene_.clock.Read().steady;
  std::vector<TaskId> tasks;
  std::vector<platform::Viewer> viewers;
  for (const TaskKey key : model_.living()) {
    const ModelTask& task = model_.Living(key);
    tasks.push_back(task.id);
    viewers.push_back(EyesOf(task.owner));
  }
  using Views = std::vector<absl::StatusOr<TaskView>>;
  server_.partition().GetTasks(std::move(tasks), std::move(viewers), /*explain=*/true,
                               [this](const absl::StatusOr<Views>& views) {
                                 scene_.Expect(views.ok(), "tasks can be looked at");
                                 if (!views.ok()) return;
                                 Book now;
                                 for (const auto& view : *views) {
                                   if (!view.ok() || view->waits == nullptr) continue;
                                   Check(*view, now[view->id] = See(*view));
                                 }
                                 seen_ = std::move(now);
                               });
  server_.Flush();
}

WaitWatch::Seen WaitWatch::See(const TaskView& view) const {
  const ModelTask* const task = model_.Find(view.id);
  return {.times = *view.waits,
          .at = scene_.clock.Read().steady,
          .changes = task == nullptr ? 0 : task->changes,
          .pauses = model_.pause_changes(),
          .state = view.state,
          .waits = Waits(view, task)};
}

// Who is held waits while it has not begun. Of one that was held before a restart nothing is said
// until its executor has, and of one of which that may or may not have been told.
std::optional<bool> WaitWatch::Waits(const TaskView& view, const ModelTask* task) const {
  if (view.session.empty()) return view.state != TaskState::kSettling;
  const std::optional<bool> begun = task == nullptr ? std::nullopt : model_.HasBegun(*task);
  switch (view.state) {
    case TaskState::kLeased:
    case TaskState::kPausing:
    case TaskState::kResuming:
      if (!begun.has_value()) return std::nullopt;
      if (*begun) {  // And Inputs will hear of it, if it has not.
        return view.cause == WaitCause::kNone ? std::optional(false) : std::nullopt;
      }
      if (view.cause == WaitCause::kNone && model_.MayBeUnheard(*task)) return std::nullopt;
      return true;
    default:
      return false;
  }
}

void WaitWatch::Check(const TaskView& view, const Seen& now) {
  for (const int64_t waited : now.times) {
    scene_.Expect(waited >= 0, "nobody waits for less than no time");
  }
  const int64_t waited = SumOf(now.times);
  const int64_t age = absl::ToInt64Milliseconds(scene_.clock.Read().wall - view.id.time());
  const ModelTask* const task = model_.Find(view.id);
  if (task != nullptr && task->created > ages_known_since_) {
    scene_.Expect(now.waits != true || view.dispatch > 0 || IsNear(waited, age),
                  "what never ran has waited since it was spawned");
    scene_.Expect(waited <= age + kTolerance, "nobody has waited for longer than there was time");
  }
  const auto before = seen_.find(view.id);
  if (before != seen_.end()) CheckSince(view, before->second, now);
  if (!scene_.verdict.broken()) return;
  std::string causes;
  for (const int64_t cause : now.times) absl::StrAppend(&causes, " ", cause);
  scene_.verdict.Explain(
      absl::StrCat(Describe(view), "; waited ", waited, " of ", age, " ms, by cause", causes));
}

void WaitWatch::CheckSince(const TaskView& view, const Seen& before, const Seen& now) const {
  const int64_t passed = absl::ToInt64Milliseconds(now.at - before.at);
  const int64_t more = SumOf(now.times) - SumOf(before.times);
  const bool told_late = !before.waits.has_value();
  scene_.Expect(more >= 0 && (told_late || more <= passed + kTolerance),
                "waits grow by the time that passes");
  // A start and a confirmed pause leave no record.
  if (before.changes != now.changes || before.state != now.state) return;
  if (!now.waits.has_value() || before.waits != now.waits) return;
  scene_.Expect(IsNear(more, *now.waits ? passed : 0), "causes sum up to the time that was waited");
  const Causes causes = CausesOf(view, before, now);
  if (causes.empty()) return;
  int64_t expected = 0;
  for (const WaitCause cause : causes) {
    const auto at = static_cast<size_t>(cause);
    expected += now.times[at] - before.times[at];
  }
  scene_.Expect(IsNear(expected, passed), "the first cause that holds gets the time");
}

WaitWatch::Causes WaitWatch::CausesOf(const TaskView& view, const Seen& before,
                                      const Seen& now) const {
  if (now.waits != true) return {};
  if (now.state == TaskState::kLeased || now.state == TaskState::kResuming) {
    return {WaitCause::kExecutorQueue};
  }
  if (now.state == TaskState::kPaused || now.state == TaskState::kPausing) {
    return {WaitCause::kPaused};
  }
  if (before.pauses != now.pauses) return {};
  if (model_.IsPaused({view.name_space, view.type})) return {WaitCause::kPaused};
  const ModelTask* const task = model_.Find(view.id);
  switch (now.state) {
    case TaskState::kBlocked:
      return {WaitCause::kDependency};
    case TaskState::kScheduled:
      if (view.dispatch == 0) return {WaitCause::kDelay};
      // The clock may have been set back to before the time that was asked for.
      if (task == nullptr || task->not_before.has_value()) return {};
      return {WaitCause::kBackoff};
    case TaskState::kReady:
      return task == nullptr ? Causes() : CausesOfReady(*task, before);
    default:
      return {};
  }
}

WaitWatch::Causes WaitWatch::CausesOfReady(const ModelTask& task, const Seen& before) const {
  if (task.fenced_dispatch < task.dispatch) return {WaitCause::kFence};
  const auto nobody = model_.NobodyRunsItSince({task.name_space, task.type});
  if (task.dispatch == 0 && nobody.has_value() && *nobody <= before.at) {
    return {WaitCause::kNoImplementation};
  }
  if (!model_.IsBehindAnother(task, before.at)) return {};
  return {WaitCause::kOrderingKey, WaitCause::kNoImplementation, WaitCause::kPlacementUnmatched};
}

}  // namespace kantoku::simulation
