#ifndef KANTOKU_TESTS_BENCH_FLOORS_FLOORS_H_
#define KANTOKU_TESTS_BENCH_FLOORS_FLOORS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// What this machine can do at best: small programs, each with one of the product's necessities and
// nothing else, that are as durable as the product is. They do not change with it, so that its
// figures can be held against them from year to year.
namespace kantoku::floors {

// In microseconds.
struct Latencies {
  double p50_us = 0;
  double p99_us = 0;
};
Latencies Summarize(std::vector<absl::Duration> times);

// Of fdatasync after 4 KiB were written over blocks that the file has.
absl::StatusOr<Latencies> Fdatasync(const std::string& directory);

// Lifecycles a second (insert, result, a row of ends, later erasure) through plain SQLite in one
// file (WAL, synchronous=FULL): three commits for a group, by whichever of groups of 100, 500 and
// 1,000 is fastest.
absl::StatusOr<double> SqliteLifecycles(const std::string& directory);

// The same through PostgreSQL, in tables of our own that go again: rows are copied in, and erased
// by their keys. `connection` as libpq takes it; as durable as its server is set up to be.
absl::StatusOr<double> PostgresLifecycles(const std::string& connection);

struct Grpc {
  Latencies ping_pong;           // One small message there and back on a stream, one at a time.
  double echoes_per_second = 0;  // Tasks of 100 bytes there and back on one stream.
};
// Between this process and one that it starts, over loopback, in plaintext: gRPC and Protobuf
// alone. Tasks go in messages of whichever of 64, 128 and 256 is fastest.
absl::StatusOr<Grpc> MeasureGrpc();

// The process that MeasureGrpc starts: writes its port to the descriptor, and ends with its input.
int ServeEchoes(int port_to);

}  // namespace kantoku::floors

#endif  // KANTOKU_TESTS_BENCH_FLOORS_FLOORS_H_
