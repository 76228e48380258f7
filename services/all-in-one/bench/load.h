#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_LOAD_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_LOAD_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/client.h"

// Ways to spawn: each sees every result before it counts a task.
namespace kantoku::bench {

using MakeTask = std::function<Task(size_t number)>;

// 100 bytes of payload, for which the executor gives 16.
Task EchoTask(size_t number);

// Many tasks, spawned in batches while not too many are under way.
struct Batches {
  size_t tasks = 500'000;
  size_t batch = 500;        // Tasks of a call.
  size_t in_flight = 4'000;  // Tasks that are spawned and not resolved yet.
  double per_second = 0;     // At most; 0: as fast as they go.
  MakeTask make = EchoTask;
  bool awaited = true;  // Else a task is resolved once it is accepted.
};
// Tasks a second.
absl::StatusOr<double> Run(Client& client, const Batches& batches);

// So many callers of one client, each of which spawns a task where it has seen the result of the
// one before. How long each of them took.
absl::StatusOr<std::vector<absl::Duration>> RunCallers(Client& client, size_t callers,
                                                       size_t tasks);
// The same of one caller, for as long as `goes_on` is true.
absl::StatusOr<std::vector<absl::Duration>> RunCallerWhile(Client& client,
                                                           const std::atomic<bool>& goes_on);

// The same of one caller that blocks in Spawn and in Await.
absl::StatusOr<std::vector<absl::Duration>> RunBlocking(Client& client, size_t tasks);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_LOAD_H_
