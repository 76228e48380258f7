#include <utility>

#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr size_t kCallers = 64;

absl::StatusOr<Figures> InBatches(const Terms& terms) { return MeasureRate(terms, {}, EchoTask); }

absl::StatusOr<Figures> OfCallers(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  const size_t tasks = terms.tasks / 4;
  const Meter meter(*warm.installation);
  const absl::Time begin = absl::Now();
  KANTOKU_ASSIGN_OR_RETURN(auto times, RunCallers(warm.client, kCallers, tasks));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  Figures figures = {{"tasks_per_second", static_cast<double>(tasks) / seconds}};
  Append("", Latencies(std::move(times)), figures);
  Append("", meter.Read(static_cast<double>(tasks)), figures);
  return figures;
}

}  // namespace

std::vector<Scenario> ThroughputScenarios() {
  return {
      {.name = "throughput",
       .about = "spawned in batches, run, and every result seen",
       .floor = FloorRatio{"of_store_floor", "tasks_per_second",
                           [](const Floors& floors) { return floors.store_lifecycles_per_second; }},
       .run = InBatches},
      {.name = "throughput-callers",
       .about = "64 callers, each with one task at a time",
       .run = OfCallers}};
}

}  // namespace kantoku::bench
