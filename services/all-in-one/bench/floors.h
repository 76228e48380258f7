#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// What this machine can do at most, with nothing of ours in between.
namespace kantoku {

struct Latencies {
  double p50_us = 0;
  double p99_us = 0;
};
Latencies Summarize(std::vector<absl::Duration> times);

// fdatasync after writing 4 KiB to a file in `directory`.
absl::StatusOr<Latencies> MeasureSync(const std::string& directory);

// Task lifecycles a second that SQLite commits in groups of 500, WAL and synchronous=FULL: insert
// of 150 bytes, insert of a result, one end row a group, erasure of both.
absl::StatusOr<double> MeasureSqlite(const std::string& directory);

// A unary call with an empty answer (the standard health check) to the server at `address`.
absl::StatusOr<Latencies> MeasureRpc(const std::string& address, const std::string& access);

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_
