#ifndef KANTOKU_TESTS_SIMULATION_WORLD_WORLD_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_WORLD_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tests/simulation/world/couriers.h"
#include "tests/simulation/world/executor.h"
#include "tests/simulation/world/gateway.h"
#include "tests/simulation/world/handlers.h"
#include "tests/simulation/world/inputs_server.h"
#include "tests/simulation/world/liar.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/reader.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/users.h"
#include "tests/simulation/world/wait_watch.h"
#include "tests/simulation/world/witness.h"

namespace kantoku::simulation {

// A whole installation on one thread, under virtual time, from one seed: the real partition of
// Inputs and book of results, honest executors made of the real runtime, liars, users, and
// everything that happens to machines, disks and networks. Equal seeds live equal lives, so a run
// of fewer steps is the beginning of one of more.
class World {
 public:
  explicit World(uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Goes on until so many steps were done since the beginning, or a promise is broken.
  void Run(uint64_t steps);
  // Nothing bad happens any more: everything has to end, and nothing to be left.
  void Finish();

  const Verdict& verdict() const { return verdict_; }
  const Coverage& coverage() const { return coverage_; }
  // Equal for equal lives.
  uint64_t fingerprint() const { return trace_.value() ^ model_.trace(); }
  // What the world did last, the latest last.
  const std::deque<std::string_view>& last_acts() const { return last_acts_; }

 private:
  struct Act {
    std::string_view name;
    uint32_t weight;  // Of how often it is chosen.
    void (World::*go)();
  };
  static std::span<const Act> Acts();

  // One each; what there is nothing of to do is no step.
  void Spawn();
  void SpawnShares();
  void SpawnAsHandler();
  void RepeatSpawn() { users_.Repeat(); }
  void Control() { users_.Control(); }
  void Restart();
  void Patch() { users_.PatchInfo(); }
  void Pause() { users_.Pause(); }
  void Route() { users_.Route(); }
  void OperatorLimits() { users_.SetLimit(); }
  void OperatorAsks();
  void OperatorBlocks();
  void ServerReads() { gateway_.Read(); }
  void ExecutorHears() { AnyExecutor().Hear(); }
  void ExecutorWorks() { AnyExecutor().Work(); }
  void ExecutorPuts() { AnyExecutor().Put(); }
  void ExecutorPutsItems() { AnyExecutor().PutItems(); }
  void ExecutorGetsResults() { AnyExecutor().GetResults(); }
  void ReaderReads() { reader_.Read(); }
  void FenceGoes() { couriers_.CarryFence(server_.epoch()); }
  void FenceAnswerComes() { couriers_.CarryAnswer(Tell()); }
  void LinesGo() { couriers_.CarryLines(server_.partition()); }
  void LateCallComes() { couriers_.CarryLate(); }
  void LiarActs();
  void ConnectionBreaks() { AnyExecutor().LoseConnection(); }
  void ExecutorDies() { AnyExecutor().Kill(); }
  void ExecutorFreezes() { AnyExecutor().Freeze(); }
  void ExecutorThaws() { AnyExecutor().Thaw(); }
  void ExecutorDrains() { AnyExecutor().Drain(); }
  void TimePasses();
  void SomebodyLooks();
  void SomebodySetsTheClock();
  void ServerRests();
  void ServerCrashes();
  void ServerDrains();
  void OutputsCrashes();

  void ServerRestarts();
  Executor& AnyExecutor() { return *executors_[random_.Pick(executors_.size())]; }
  Couriers::Tell Tell();
  // Executors do what is due at its time, Inputs when its runner comes to it.
  void Pass(absl::Duration time);
  void Remember(const Act& act);
  void CheckSessions(const std::map<TaskId, TaskView>& tasks);
  void CheckPaused(const std::map<TaskId, TaskView>& tasks) const;
  // Whether a handler of the dispatch goes on in an honest executor of the session.
  bool Runs(const SessionId& session, const TaskId& task, uint32_t dispatch) const;
  // Nobody lives any more.
  void CheckSlots();
  void CheckRecovery(const std::map<TaskId, TaskView>& before);

  Random random_;
  VirtualClock clock_;
  const std::unique_ptr<platform::MacKeys> keys_;
  Verdict verdict_;
  Coverage coverage_;
  const Scene scene_;
  Model model_;
  OutputsServer outputs_;
  Couriers couriers_;
  InputsServer server_;
  Witness witness_;
  Gateway gateway_;
  Handlers handlers_;
  Users users_;
  WaitWatch waits_;
  Reader reader_;
  std::vector<std::unique_ptr<Executor>> executors_;
  std::vector<std::unique_ptr<Liar>> liars_;
  absl::Duration restart_at_ = absl::InfiniteDuration();  // The drain is over.
  Trace trace_;                                           // Of what the world chose, and when.
  std::deque<std::string_view> last_acts_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_WORLD_H_
