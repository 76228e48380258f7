#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/all-in-one/bench/sessions.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr double kPerSecond = 1'000;

Task StampedTask(size_t) { return Task(kEchoType, absl::StrCat(StampNow())); }

absl::StatusOr<Figures> Measure(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(auto installation, Installation::Start(terms.place));
  KANTOKU_ASSIGN_OR_RETURN(Client client, installation->Connect());
  KANTOKU_RETURN_IF_ERROR(client.List({}).status());
  const Usage before = UsageOf(installation->server_pid());
  const absl::Time begin = absl::Now();
  KANTOKU_ASSIGN_OR_RETURN(Sessions sessions,
                           Sessions::Start(*installation, terms.sessions, kEchoType));
  const double connected = absl::ToDoubleSeconds(absl::Now() - begin);
  const Usage idle = UsageOf(installation->server_pid());
  KANTOKU_ASSIGN_OR_RETURN(const double rate, Run(client, {.tasks = terms.sessions,
                                                           .batch = 10,
                                                           .in_flight = terms.sessions,
                                                           .per_second = kPerSecond,
                                                           .make = StampedTask}));
  const Usage busy = UsageOf(installation->server_pid());
  std::vector<absl::Duration> latencies = sessions.Stop();
  if (latencies.empty()) return absl::InternalError("no executor has told how long it waited");
  const auto count = static_cast<double>(terms.sessions);
  const auto kib = [&](const Usage& usage) {
    return (usage.rss_mib - before.rss_mib) * 1024 / count;
  };
  Figures figures = {{"sessions", count},
                     {"connected_seconds", connected},
                     {"idle_kib_per_session", kib(idle)},
                     {"busy_kib_per_session", kib(busy)},
                     {"tasks_per_second", rate}};
  Append("dispatch_", Latencies(std::move(latencies)), figures);
  return figures;
}

}  // namespace

Scenario SessionsScenario() {
  return {.name = "sessions",
          .about =
              "10,000 executors with a connection each, idle and busy; from a spawn to its "
              "dispatch",
          .own_server = true,
          .shown = {"idle_kib_per_session", "busy_kib_per_session", "dispatch_p50_us",
                    "dispatch_p99_us", "connected_seconds"},
          .run = Measure};
}

}  // namespace kantoku::bench
