#ifndef KANTOKU_TESTS_CHAOS_SOAK_CONDUCTOR_H_
#define KANTOKU_TESTS_CHAOS_SOAK_CONDUCTOR_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace kantoku::soak {

struct ConductorOptions {
  absl::Duration length = absl::Minutes(10);  // Of the faults; then everything may come to its end.
  uint64_t seed = 1;
  int tasks_per_second = 50;
  std::string binaries;   // Where the programs are.
  bool postgres = false;  // Where services keep their records; else SQLite.
  size_t replicas = 1;    // Of each service.
  bool keep = false;      // The directory, even when all is good.
};

// The whole test: starts the installation, lets things go wrong while it is under load, waits until
// every task has its end, and prints what the checker says. The code to exit with: 0 when the
// verdict is good and every fault did happen, 1 otherwise, 2 when it could not start.
//
// To be called before the process has threads. SIGINT and SIGTERM end it early, with all that it
// has started.
int Conduct(const ConductorOptions& options);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_CONDUCTOR_H_
