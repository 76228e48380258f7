#ifndef KANTOKU_TESTS_CHAOS_SOAK_WATCHERS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_WATCHERS_H_

#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "kantoku/client.h"
#include "services/platform/mutex.h"
#include "tests/chaos/soak/dice.h"
#include "tests/chaos/soak/observations.h"
#include "tests/chaos/soak/topology.h"

namespace kantoku::soak {

// Reads the items of generators: some while they run, some later; every now and then one closes its
// stream and opens another where it was. A few at a time; what is too much is not read.
//
// Thread-safe.
class Readers {
 public:
  Readers(uint64_t seed, Topology& topology, Observations& observations);
  ~Readers();
  void Add(const TaskId& task);
  // Reads to the end what it has begun; false when that takes too long.
  bool Finish(absl::Duration limit);

 private:
  void Run(uint64_t seed, const Client& client);
  void ReadAll(Client client, Dice& dice, const TaskId& task);
  bool stopping();

  Observations& observations_;
  platform::Mutex mu_;
  platform::CondVar changed_;
  std::deque<TaskId> waiting_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  size_t threads_at_work_ ABSL_GUARDED_BY(mu_) = 0;
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

// Cancels and interrupts some trees, and pauses and resumes tasks, each some time after its spawn.
//
// Thread-safe.
class Controllers {
 public:
  Controllers(uint64_t seed, Topology& topology, Observations& observations);
  ~Controllers();
  void AddTree(const TaskId& root);
  void AddPaused(const TaskId& task);
  // Resumes whatever is still paused. Nothing is asked for after that.
  void Finish();

 private:
  struct Wish {
    absl::Duration due;
    TaskId task;
    ControlVerb verb = ControlVerb::kCancel;
    bool tree = false;
  };
  void Run();
  void Fulfil(const Wish& wish);
  void NoteStop(const Wish& wish, const absl::Status& answer);
  void Add(Wish wish, absl::Duration least, absl::Duration most);
  // Waits for the next wish; false when there is none and none will be.
  bool Next(Wish& wish);

  Observations& observations_;
  Client client_;
  platform::Mutex mu_;
  platform::CondVar changed_;
  Dice dice_ ABSL_GUARDED_BY(mu_);
  std::vector<Wish> wishes_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

// A user who waits for one task after the other, each of which begins only in some seconds: nothing
// goes over its line meanwhile.
//
// Thread-safe.
class IdleUser {
 public:
  IdleUser(Topology& topology, Observations& observations);
  ~IdleUser();
  // The task that it waits for is its last one; false when that has no end in time.
  bool Finish(absl::Duration limit);

 private:
  void Run();
  bool AwaitOne(const TaskId& task);

  Observations& observations_;
  platform::Mutex mu_;
  platform::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;   // Spawns nothing more.
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;  // Awaits nothing more.
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  bool answered_ ABSL_GUARDED_BY(mu_) = false;
  Client client_;  // Its callbacks use what stands above.
  std::thread thread_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_WATCHERS_H_
