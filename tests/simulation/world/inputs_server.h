#ifndef KANTOKU_TESTS_SIMULATION_WORLD_INPUTS_SERVER_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_INPUTS_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/inputs/partition/partition.h"
#include "tests/simulation/world/couriers.h"
#include "tests/simulation/world/faulty_store.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/stepped_runner.h"

namespace kantoku::simulation {

// The clock of a machine that is started anew: steady time begins again.
class MachineClock final : public platform::Clock {
 public:
  explicit MachineClock(const platform::Clock& clock) : clock_(clock) {}
  platform::Now Read() const override {
    const platform::Now now = clock_.Read();
    return {now.wall, now.steady - started_};
  }
  void Wait(platform::Mutex&, platform::CondVar&, absl::Duration) override {}
  void Restart(absl::Duration steady) { started_ = clock_.Read().steady - steady; }

 private:
  const platform::Clock& clock_;
  absl::Duration started_ = absl::ZeroDuration();
};

// Inputs: the real partition over a store in memory, run step by step, and killed at any point.
class InputsServer {
 public:
  InputsServer(const Scene& scene, Model& model, Couriers& couriers);

  inputs::Partition& partition() { return *partition_; }
  SteppedRunner& runner() { return *runner_; }
  // Grows with every start: connections end with it.
  uint64_t epoch() const { return partition_->epoch(); }

  // Runs `mark` as a command, so that the world knows when others before it were applied.
  void Mark(std::function<void()> mark);

  // When it has something to do by itself, by the world's clock.
  absl::Duration NextWake() const;

  // Lets the runner's threads come a little further.
  void Turn();
  // No store fails, until everything has been applied, committed and released.
  void Flush();

  // All tasks that their owners can see, by id. Flushes.
  std::map<TaskId, TaskView> List();

  std::vector<inputs::SessionView> Sessions();
  // All that is set for keys, with the namespace.
  std::vector<std::pair<std::string_view, inputs::LimitView>> Limits();

  // As kill -9, and a new start.
  void Crash();
  // For good.
  void Stop() { partition_.reset(); }
  // As SIGTERM: it commits what it has accepted.
  void Restart();

 private:
  void Open();
  void FinishGroup();

  const Scene scene_;
  Model& model_;
  Couriers& couriers_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  MachineClock clock_;
  StoreFaults faults_;
  SteppedRunner* runner_ = nullptr;  // The partition's.
  std::unique_ptr<inputs::Partition> partition_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_INPUTS_SERVER_H_
