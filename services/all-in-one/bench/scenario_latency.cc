#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

absl::StatusOr<Figures> Idle(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_RETURN_IF_ERROR(RunCallers(warm.client, 1, terms.singles / 10).status());
  KANTOKU_ASSIGN_OR_RETURN(auto times, RunCallers(warm.client, 1, terms.singles));
  KANTOKU_ASSIGN_OR_RETURN(auto blocking, RunBlocking(warm.client, terms.singles));
  Figures figures = Latencies(std::move(times));
  Append("blocking_", Latencies(std::move(blocking)), figures);
  return figures;
}

// The load comes from a client of its own, in small batches at even times.
absl::StatusOr<Figures> HalfLoad(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_ASSIGN_OR_RETURN(
      const double most,
      Run(warm.client, {.tasks = terms.tasks, .batch = terms.batch, .in_flight = terms.in_flight}));
  KANTOKU_ASSIGN_OR_RETURN(Client loader, warm.installation->Connect());
  absl::StatusOr<double> load;
  std::atomic<bool> loaded = true;
  std::thread loads([&] {
    load = Run(loader, {.tasks = terms.tasks,
                        .batch = std::max<size_t>(terms.batch / 5, 1),
                        .in_flight = terms.tasks,
                        .per_second = most / 2});
    loaded = false;
  });
  absl::StatusOr<std::vector<absl::Duration>> times = RunCallerWhile(warm.client, loaded);
  loads.join();
  KANTOKU_RETURN_IF_ERROR(load.status());
  KANTOKU_RETURN_IF_ERROR(times.status());
  Figures figures = {{"samples", static_cast<double>(times->size())}};
  Append("", Latencies(*std::move(times)), figures);
  figures.emplace_back("load_per_second", *load);
  return figures;
}

}  // namespace

std::vector<Scenario> LatencyScenarios() {
  return {{.name = "latency",
           .about = "from a spawn to its result, one at a time, by callbacks and by blocking calls",
           .shown = {"blocking_p50_us"},
           // What such a task cannot do without: spawn and result made durable, and two ways there
           // and back between each of its two ends and the server.
           .floor = FloorRatio{"of_syncs_and_ping_pongs", "p50_us",
                               [](const Floors& floors) {
                                 return 2 * floors.fdatasync_p50_us +
                                        4 * floors.grpc_ping_pong_p50_us;
                               }},
           .run = Idle},
          {.name = "latency-half-load",
           .about = "the same while half of the tasks that it can run come beside it",
           .shown = {"load_per_second", "samples"},
           .run = HalfLoad}};
}

}  // namespace kantoku::bench
