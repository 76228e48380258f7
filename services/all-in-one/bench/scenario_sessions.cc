#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr size_t kProcesses = 4;
constexpr double kPerSecond = 1'000;
constexpr absl::Duration kPatience = absl::Minutes(3);

absl::Status CheckDescriptors(size_t sessions) {
  constexpr size_t kOthers = 500;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max >= sessions + kOthers) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      sessions, " sessions need as many descriptors in the server, and the limit (ulimit -Hn) is ",
      limit.rlim_max));
}

std::vector<absl::Duration> ReadLatencies(const std::string& path) {
  std::vector<absl::Duration> latencies;
  std::ifstream file(path);
  for (uint64_t nanoseconds = 0; file >> nanoseconds;) {
    latencies.push_back(absl::Nanoseconds(nanoseconds));
  }
  return latencies;
}

Task StampedTask(size_t) { return Task(kEchoType, absl::StrCat(StampNow())); }

absl::StatusOr<Figures> Measure(const Terms& terms) {
  KANTOKU_RETURN_IF_ERROR(CheckDescriptors(terms.sessions));
  KANTOKU_ASSIGN_OR_RETURN(auto installation, Installation::Start(terms.place));
  KANTOKU_ASSIGN_OR_RETURN(Client client, installation->Connect());
  KANTOKU_RETURN_IF_ERROR(client.List({}).status());
  const Usage before = UsageOf(installation->server_pid());
  KANTOKU_ASSIGN_OR_RETURN(const auto welcomed, OpenCounter(installation->File("welcomed")));
  const size_t processes = std::min(kProcesses, terms.sessions);
  std::vector<Child> children;
  const absl::Time begin = absl::Now();
  for (size_t i = 0; i < processes; ++i) {
    KANTOKU_ASSIGN_OR_RETURN(
        Child child,
        installation->StartRole(kSessionsRole,
                                {"--count", absl::StrCat(terms.sessions / processes), "--welcomed",
                                 installation->File("welcomed"), "--latencies",
                                 installation->File(absl::StrCat("latencies-", i))}));
    children.push_back(std::move(child));
  }
  const uint64_t sessions = terms.sessions / processes * processes;
  while (*welcomed < sessions) {
    if (absl::Now() > begin + kPatience) {
      return absl::DeadlineExceededError(
          absl::StrCat(*welcomed, " of ", sessions, " sessions came within 3 min"));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  const double connected = absl::ToDoubleSeconds(absl::Now() - begin);
  const Usage idle = UsageOf(installation->server_pid());
  KANTOKU_ASSIGN_OR_RETURN(const double rate, Run(client, {.tasks = sessions,
                                                           .batch = 10,
                                                           .in_flight = sessions,
                                                           .per_second = kPerSecond,
                                                           .make = StampedTask}));
  const Usage busy = UsageOf(installation->server_pid());
  std::vector<absl::Duration> latencies;
  for (size_t i = 0; i < processes; ++i) {
    children[i].Stop();
    const auto some = ReadLatencies(installation->File(absl::StrCat("latencies-", i)));
    latencies.insert(latencies.end(), some.begin(), some.end());
  }
  const auto kib = [&](const Usage& usage) {
    return (usage.rss_mib - before.rss_mib) * 1024 / static_cast<double>(sessions);
  };
  if (latencies.empty()) return absl::InternalError("no executor has told how long it waited");
  Figures figures = {{"sessions", static_cast<double>(sessions)},
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
