#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/all-in-one/bench/child.h"
#include "services/all-in-one/bench/installation.h"

namespace kantoku::bench {

// Many executors of one type, each with a connection of its own and one task at a time, in a few
// processes. They end with this. Once for each installation.
//
// Thread-compatible.
class Sessions {
 public:
  // Returns when all are connected. FAILED_PRECONDITION when the system does not let the server
  // have as many connections, DEADLINE_EXCEEDED after three minutes.
  static absl::StatusOr<Sessions> Start(const Installation& installation, size_t count,
                                        const std::string& type);

  // Ends them. What they have waited for tasks, from the stamp (StampNow) that is a task's payload
  // to its dispatch.
  std::vector<absl::Duration> Stop();

 private:
  struct Process {
    Child child;
    std::string latencies;  // The file that it writes in the end.
  };
  std::vector<Process> processes_;
};

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_H_
