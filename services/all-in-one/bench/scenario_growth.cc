// How the cost of a task grows with what else there is: the rate and the cost of `throughput`, at
// several sizes of one thing.
//
// Sessions stand beside the work, of a type that has no tasks, and do not share it: at every size
// the same executor does the same work, so what differs is the price of a session that is there.
// Were the work shared, each would get the smaller frames the more there are, and the figure would
// be of batches; what sharing does to the time until a dispatch, `sessions` tells.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/all-in-one/bench/sessions.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// Beside so many tasks for which nobody comes.
absl::StatusOr<Figures> OfBacklog(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_RETURN_IF_ERROR(
      Run(warm.client, {.tasks = terms.size,
                        .make = [](size_t) { return Task(kIdleType, std::string(100, 'x')); },
                        .awaited = false})
          .status());
  KANTOKU_RETURN_IF_ERROR(warm.installation->AwaitRest());
  return MeasureRate(warm, terms, EchoTask);
}

// Beside so many executors for which nothing comes. What they use themselves is not counted; what
// the server does for them by the second, as it answers pings, is, and a slower machine shows more
// of it.
absl::StatusOr<Figures> OfSessions(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_ASSIGN_OR_RETURN(const Sessions idle,
                           Sessions::Start(*warm.installation, terms.size, kIdleType));
  KANTOKU_RETURN_IF_ERROR(warm.installation->AwaitRest());
  return MeasureRate(warm, terms, EchoTask);
}

// The tasks are of so many types, in turn, all of which one executor runs.
absl::StatusOr<Figures> OfTypes(const Terms& terms) {
  std::vector<std::string> types;
  types.reserve(terms.size);
  for (size_t i = 0; i < terms.size; ++i) types.push_back(EchoTypeOf(i));
  const auto spread = [&types](size_t number) {
    return Task(types[number % types.size()], std::string(100, 'x'));
  };
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms, {}, {"--types", absl::StrCat(terms.size)}));
  KANTOKU_RETURN_IF_ERROR(Run(warm.client, {.tasks = kWarmTasks, .make = spread}).status());
  KANTOKU_RETURN_IF_ERROR(warm.installation->AwaitRest());
  return MeasureRate(warm, terms, spread);
}

Scenario Growth(std::string name, std::string about, std::vector<size_t> sizes,
                absl::StatusOr<Figures> (*run)(const Terms&)) {
  return {.name = std::move(name),
          .about = std::move(about),
          .own_server = true,
          .sizes = std::move(sizes),
          .shown = {"server_cpu_seconds_per_million"},
          .run = run};
}

}  // namespace

std::vector<Scenario> GrowthScenarios() {
  return {Growth("growth-backlog",
                 "throughput beside 0 to 1,000,000 tasks that nobody runs; only when named",
                 {0, 10'000, 100'000, 1'000'000}, OfBacklog),
          Growth("growth-sessions",
                 "throughput beside 1 to 1,000 executors that get no task; only when named",
                 {1, 10, 100, 1'000}, OfSessions),
          Growth("growth-types", "throughput of tasks of 1 to 1,000 types; only when named",
                 {1, 10, 100, 1'000}, OfTypes)};
}

}  // namespace kantoku::bench
