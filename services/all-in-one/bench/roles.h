#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_ROLES_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_ROLES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/cli.h"

// What a bench starts beside a server, each a hidden command of this program.
namespace kantoku::bench {

// Gives kEchoBytes for every task.
inline constexpr char kEchoType[] = "bench.echo";
inline constexpr size_t kEchoBytes = 16;
// One of many such types, the first of which is kEchoType, for an executor that is told `--types`.
std::string EchoTypeOf(size_t number);
// Of this there are tasks that nobody runs, or executors that get none.
inline constexpr char kIdleType[] = "bench.idle";
// Yields items, as its payload says (Generator), that begin with the time of their making.
inline constexpr char kStreamType[] = "bench.stream";
// Goes on until it is to stop.
inline constexpr char kHoldType[] = "bench.hold";

// What a task of kStreamType yields.
struct Generator {
  uint64_t items = 0;
  uint64_t pause_us = 0;  // Before each.

  std::string ToPayload() const;
  static Generator FromPayload(const std::string& payload);
};
// Of the machine, in nanoseconds, the same in all processes.
uint64_t StampNow();

inline constexpr char kExecutorRole[] = "bench-executor";
inline constexpr char kSubscriberRole[] = "bench-subscribers";
inline constexpr char kSessionsRole[] = "bench-sessions";
std::vector<cli::ExtraCommand> MakeRoleCommands();

// A number in a file that several processes share, made if need be.
absl::StatusOr<std::shared_ptr<volatile uint64_t>> OpenCounter(const std::string& path);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_ROLES_H_
