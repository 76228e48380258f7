#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace kantoku::bench {

// What the machine can do at best, as a program of its own has measured it (tests/bench/floors).
struct Floors {
  double fdatasync_p50_us = 0;             // Of 4 KiB over blocks that a file has.
  double store_lifecycles_per_second = 0;  // In batches, through the plain database.
  double grpc_ping_pong_p50_us = 0;        // A message there and back on a stream.
  double grpc_echoes_per_second = 0;       // Tasks there and back, in batches.
};

// From one JSON object with these numbers. INVALID_ARGUMENT.
absl::StatusOr<Floors> ParseFloors(const std::string& json);
nlohmann::ordered_json ToJson(const Floors& floors);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FLOORS_H_
