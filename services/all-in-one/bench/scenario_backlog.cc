#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

absl::StatusOr<double> Spawn(Client& client, const Terms& terms, size_t tasks) {
  return Run(
      client,
      {.tasks = tasks, .batch = terms.batch, .in_flight = terms.in_flight, .awaited = false});
}

// How many tasks executors had begun, and when.
struct Sample {
  absl::Time at;
  uint64_t begun;
};

// Until all are, from the first on.
absl::StatusOr<std::vector<Sample>> Drain(const Installation& installation, uint64_t tasks) {
  std::vector<Sample> samples;
  absl::Time seen = absl::Now();
  for (uint64_t begun = 0; begun < tasks;) {
    absl::SleepFor(absl::Milliseconds(1));
    const uint64_t now = installation.begun();
    if (now != begun) {
      seen = absl::Now();
      samples.push_back({seen, now});
    } else if (absl::Now() - seen > absl::Seconds(30)) {
      return absl::DeadlineExceededError("the backlog is not drained any more");
    }
    begun = now;
  }
  return samples;
}

// Tasks a second between the first samples that have so many, or of all where those are one.
double RateBetween(const std::vector<Sample>& samples, uint64_t from, uint64_t to) {
  const auto at = [&](uint64_t begun) {
    return *std::ranges::lower_bound(samples, begun, {}, &Sample::begun);
  };
  Sample first = at(from);
  Sample last = at(to);
  if (first.begun == last.begun) {
    first = samples.front();
    last = samples.back();
  }
  const double seconds = absl::ToDoubleSeconds(last.at - first.at);
  return seconds > 0 ? static_cast<double>(last.begun - first.begun) / seconds : 0;
}

absl::StatusOr<Figures> Measure(const Terms& terms) {
  const size_t tenth = terms.backlog / 10;
  KANTOKU_ASSIGN_OR_RETURN(auto installation, Installation::Start(terms.place));
  KANTOKU_ASSIGN_OR_RETURN(Client client, installation->Connect());
  KANTOKU_ASSIGN_OR_RETURN(const double spawned_first, Spawn(client, terms, tenth));
  KANTOKU_RETURN_IF_ERROR(Spawn(client, terms, terms.backlog - 2 * tenth).status());
  KANTOKU_ASSIGN_OR_RETURN(const double spawned_last, Spawn(client, terms, tenth));
  const Usage full = UsageOf(installation->server_pid());
  KANTOKU_ASSIGN_OR_RETURN(const absl::Duration recovery, installation->KillAndRestart());
  const Usage recovered = UsageOf(installation->server_pid());
  KANTOKU_RETURN_IF_ERROR(installation->StartExecutor());
  KANTOKU_ASSIGN_OR_RETURN(const auto samples, Drain(*installation, terms.backlog));
  return Figures{
      {"tasks", static_cast<double>(terms.backlog)},
      {"spawned_per_second_first", spawned_first},
      {"spawned_per_second_last", spawned_last},
      {"drained_per_second_first", RateBetween(samples, 1, tenth)},
      {"drained_per_second_last", RateBetween(samples, terms.backlog - tenth, terms.backlog)},
      {"server_rss_mib_full", full.rss_mib},
      {"server_rss_mib_recovered", recovered.rss_mib},
      {"server_peak_rss_mib", UsageOf(installation->server_pid()).peak_rss_mib},
      {"recovery_seconds", absl::ToDoubleSeconds(recovery)}};
}

}  // namespace

Scenario BacklogScenario() {
  return {.name = "backlog",
          .about =
              "10 million tasks are spawned, the server is killed and recovers, and they are "
              "run: rates of the first and last tenth",
          .runs = 1,
          .own_server = true,
          .shown = {"spawned_per_second_first", "spawned_per_second_last",
                    "drained_per_second_first", "drained_per_second_last", "recovery_seconds"},
          .run = Measure};
}

}  // namespace kantoku::bench
