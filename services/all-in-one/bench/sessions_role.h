#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_ROLE_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_ROLE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace kantoku::bench {

struct SessionsOptions {
  std::string server;
  std::string access;
  std::string type;
  size_t count = 1;
  std::string welcomed;   // A counter (roles.h) of those that are connected.
  std::string latencies;  // Gets nanoseconds, one a line, at the end: from a task's stamp, which is
                          // its payload, to its dispatch.
};

// Executors of `type`, each with a connection of its own and nothing else of what an executor
// has, in this process: until SIGTERM.
absl::Status RunSessions(const SessionsOptions& options);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_SESSIONS_ROLE_H_
