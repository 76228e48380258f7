#include "services/all-in-one/bench/scenario.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/all-in-one/bench/load.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

std::vector<Scenario> MakeScenarios() {
  std::vector<Scenario> all = ThroughputScenarios();
  const auto add = [&all](std::vector<Scenario> more) {
    for (Scenario& scenario : more) all.push_back(std::move(scenario));
  };
  add(LatencyScenarios());
  add({StreamScenario()});
  add(AdmissionScenarios());
  add({EventsScenario(), FanoutScenario(), ReplicasScenario(), SessionsScenario(),
       BacklogScenario()});
  add(GrowthScenarios());
  return all;
}

}  // namespace

const std::vector<Scenario>& Scenarios() {
  static const std::vector<Scenario> kAll = MakeScenarios();
  return kAll;
}

std::vector<size_t> OrderIn(int run, size_t sides) {
  std::vector<size_t> order(sides);
  std::iota(order.begin(), order.end(), size_t{0});
  if (run % 2 == 1) std::ranges::reverse(order);
  return order;
}

absl::StatusOr<Warm> WarmUp(const Terms& terms, std::vector<std::string> settings,
                            std::vector<std::string> executor) {
  settings.push_back(absl::StrCat("inputs.max_session_credit=", terms.held));
  executor.insert(executor.end(), {"--held", absl::StrCat(terms.held)});
  KANTOKU_ASSIGN_OR_RETURN(auto installation,
                           Installation::Start(terms.place, std::move(settings)));
  KANTOKU_RETURN_IF_ERROR(installation->StartExecutor(std::move(executor)));
  KANTOKU_ASSIGN_OR_RETURN(Client client, installation->Connect());
  KANTOKU_RETURN_IF_ERROR(Run(client, {.tasks = kWarmTasks}).status());
  return Warm{std::move(installation), std::move(client)};
}

absl::StatusOr<Figures> MeasureRate(Warm& warm, const Terms& terms, MakeTask make) {
  const Meter meter(*warm.installation);
  KANTOKU_ASSIGN_OR_RETURN(const double rate, Run(warm.client, {.tasks = terms.tasks,
                                                                .batch = terms.batch,
                                                                .in_flight = terms.in_flight,
                                                                .make = std::move(make)}));
  Figures figures = {{"tasks_per_second", rate}};
  Append("", meter.Read(static_cast<double>(terms.tasks)), figures);
  return figures;
}

absl::StatusOr<Figures> MeasureRate(const Terms& terms, std::vector<std::string> settings,
                                    MakeTask make) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms, std::move(settings)));
  return MeasureRate(warm, terms, std::move(make));
}

}  // namespace kantoku::bench
