#include <utility>

#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// Whether any task of the tree lives.
absl::StatusOr<bool> Lives(Client& client, TaskId root) {
  KANTOKU_ASSIGN_OR_RETURN(
      const TaskPage page,
      client.List({.states = {TaskState::kScheduled, TaskState::kReady, TaskState::kLeased,
                              TaskState::kRunning, TaskState::kSettling, TaskState::kCancelling},
                   .root = root,
                   .page_size = 1}));
  return !page.tasks.empty();
}

absl::StatusOr<Figures> Measure(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_ASSIGN_OR_RETURN(const SpawnedTask root, warm.client.Spawn(Task(kHoldType)));
  const auto child = [&](size_t) { return Task(kHoldType).With(ChildOf(root.id, root.id)); };
  KANTOKU_ASSIGN_OR_RETURN(const double rate, Run(warm.client, {.tasks = terms.fanout,
                                                                .batch = terms.batch,
                                                                .in_flight = terms.in_flight,
                                                                .make = child,
                                                                .awaited = false}));
  const absl::Time begin = absl::Now();
  KANTOKU_RETURN_IF_ERROR(
      warm.client.Control(root.id, ControlVerb::kCancel, {.tree = true}).status());
  const absl::Time answered = absl::Now();
  for (;;) {
    KANTOKU_ASSIGN_OR_RETURN(const bool lives, Lives(warm.client, root.id));
    if (!lives) break;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return Figures{{"children_per_second", rate},
                 {"cancel_answered_seconds", absl::ToDoubleSeconds(answered - begin)},
                 {"stopped_seconds", absl::ToDoubleSeconds(absl::Now() - begin)}};
}

}  // namespace

Scenario FanoutScenario() {
  return {.name = "fanout",
          .about = "a tree of 100,000 living children is cancelled: until the last has stopped",
          .shown = {"stopped_seconds", "children_per_second"},
          .run = Measure};
}

}  // namespace kantoku::bench
