#include "services/all-in-one/bench/sessions.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/roles.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr size_t kProcesses = 4;
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

absl::Status AwaitWelcomed(const volatile uint64_t& welcomed, size_t count) {
  const absl::Time until = absl::Now() + kPatience;
  while (welcomed < count) {
    if (absl::Now() > until) {
      return absl::DeadlineExceededError(absl::StrCat(
          welcomed, " of ", count, " sessions came within ", absl::FormatDuration(kPatience)));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Sessions> Sessions::Start(const Installation& installation, size_t count,
                                         const std::string& type) {
  KANTOKU_RETURN_IF_ERROR(CheckDescriptors(count));
  const std::string welcomed_file = installation.File("welcomed");
  KANTOKU_ASSIGN_OR_RETURN(const auto welcomed, OpenCounter(welcomed_file));
  Sessions sessions;
  for (size_t i = 0; i < std::min(kProcesses, count); ++i) {
    const size_t share = count / kProcesses + (i < count % kProcesses ? 1 : 0);
    const std::string latencies = installation.File(absl::StrCat("latencies-", i));
    KANTOKU_ASSIGN_OR_RETURN(
        Child child, installation.StartRole(
                         kSessionsRole, {"--type", type, "--count", absl::StrCat(share),
                                         "--welcomed", welcomed_file, "--latencies", latencies}));
    sessions.processes_.push_back({std::move(child), latencies});
  }
  KANTOKU_RETURN_IF_ERROR(AwaitWelcomed(*welcomed, count));
  return sessions;
}

std::vector<absl::Duration> Sessions::Stop() {
  std::vector<absl::Duration> latencies;
  for (Process& process : processes_) {
    process.child.Stop();
    std::ifstream file(process.latencies);
    for (uint64_t nanoseconds = 0; file >> nanoseconds;) {
      latencies.push_back(absl::Nanoseconds(nanoseconds));
    }
  }
  processes_.clear();
  return latencies;
}

}  // namespace kantoku::bench
