#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SCENARIO_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SCENARIO_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/all-in-one/bench/figures.h"
#include "services/all-in-one/bench/floors.h"
#include "services/all-in-one/bench/installation.h"
#include "services/all-in-one/bench/load.h"

namespace kantoku::bench {

// What a run is to be made with.
struct Terms {
  Place place;
  size_t tasks = 300'000;       // Of a run that measures a rate.
  size_t batch = 500;           // Tasks of a spawn call.
  size_t in_flight = 4'000;     // Tasks that are spawned and not resolved yet.
  size_t held = 4'000;          // Tasks that the executor may hold; a server of our own allows it.
  size_t singles = 5'000;       // Tasks, one at a time.
  size_t backlog = 10'000'000;  // Tasks.
  size_t sessions = 10'000;     // Executors.
  size_t fanout = 100'000;      // Children.
  size_t size = 0;              // The one of Scenario::sizes that is to be measured.
  int run = 0;                  // Its number among the runs, from 0.
};

// What a figure of a scenario is held against.
struct FloorRatio {
  std::string name;    // Of the figure divided by the floor.
  std::string figure;  // Of the scenario.
  std::function<double(const Floors& floors)> of;
};

// Something that is measured.
struct Scenario {
  std::string name;
  std::string about;
  int runs = 3;             // Unless others are asked for.
  bool own_server = false;  // It changes or kills the server: not for one that runs already.
  bool database = false;    // Its servers share one: only with --postgres.
  // Each is measured apart, in every run, and has a line of its own. Such a scenario runs only when
  // it is named. None: it has no size.
  std::vector<size_t> sizes;
  std::vector<std::string> shown;  // Figures that people are to see beside what all have.
  std::optional<FloorRatio> floor;
  std::function<absl::StatusOr<Figures>(const Terms& terms)> run;
};

// All of them, in the order in which they run.
const std::vector<Scenario>& Scenarios();

// The order in which a run measures so many sides of a comparison, as their numbers from 0: each
// other run begins with the last, so that what drifts meanwhile weighs on all of them alike.
std::vector<size_t> OrderIn(int run, size_t sides);

// One for each file scenario_….cc.
std::vector<Scenario> ThroughputScenarios();
std::vector<Scenario> LatencyScenarios();
Scenario StreamScenario();
Scenario BacklogScenario();
Scenario SessionsScenario();
std::vector<Scenario> AdmissionScenarios();
Scenario EventsScenario();
Scenario FanoutScenario();
Scenario ReplicasScenario();
std::vector<Scenario> GrowthScenarios();

// So many tasks are run before anything is measured.
inline constexpr size_t kWarmTasks = 5'000;
// What scenarios share: an installation with one executor, warm.
struct Warm {
  std::unique_ptr<Installation> installation;
  Client client;
};
// `settings` are the server's, `executor` is what the executor's role is told.
absl::StatusOr<Warm> WarmUp(const Terms& terms, std::vector<std::string> settings = {},
                            std::vector<std::string> executor = {});

// Tasks a second and what they cost, of such an installation.
absl::StatusOr<Figures> MeasureRate(Warm& warm, const Terms& terms, MakeTask make);
absl::StatusOr<Figures> MeasureRate(const Terms& terms, std::vector<std::string> settings,
                                    MakeTask make);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SCENARIO_H_
