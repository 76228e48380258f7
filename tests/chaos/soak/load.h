#ifndef KANTOKU_TESTS_CHAOS_SOAK_LOAD_H_
#define KANTOKU_TESTS_CHAOS_SOAK_LOAD_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "services/platform/mutex.h"
#include "tests/chaos/soak/kinds.h"
#include "tests/chaos/soak/observations.h"
#include "tests/chaos/soak/topology.h"
#include "tests/chaos/soak/watchers.h"

namespace kantoku::soak {

// Spawns tasks of all kinds at a rate, from two users in turn, and awaits them; no more than a
// window of them at a time. Readers and controllers of its own look after those that want it.
//
// Thread-safe.
class Load {
 public:
  struct Options {
    uint64_t seed = 1;
    int tasks_per_second = 50;
    size_t window = 1'500;  // Tasks without an end.
  };
  Load(const Options& options, Topology& topology, Observations& observations);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Nothing more is spawned; returns when every spawn is answered.
  void StopSpawning();
  // Waits until every task has an end. False when some have none in time.
  bool AwaitEnds(absl::Duration limit);

 private:
  void Run();
  void SpawnSome(int count);
  void AskForEarlier(int most, Asked& asked, Task& task);
  void Accept(const Kind& kind, Asked asked, size_t user, const absl::StatusOr<SpawnedTask>& task);
  void Await(size_t user, const TaskId& task);

  const Options options_;
  Observations& observations_;
  Dice dice_;
  uint64_t spawned_ = 0;
  platform::Mutex mu_;
  std::deque<TaskId> recent_ ABSL_GUARDED_BY(mu_);  // Accepted tasks that can only succeed.
  platform::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;       // Spawns that are not answered.
  size_t awaited_ ABSL_GUARDED_BY(mu_) = 0;  // Tasks without an end.
  Readers readers_;
  Controllers controllers_;
  IdleUser idle_user_;
  std::vector<Client> clients_;  // Their callbacks use what stands above.
  std::thread thread_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_LOAD_H_
