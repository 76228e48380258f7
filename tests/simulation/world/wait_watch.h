#ifndef KANTOKU_TESTS_SIMULATION_WORLD_WAIT_WATCH_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_WAIT_WATCH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulation/world/inputs_server.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// Looks now and then at what the living tasks have waited for, and holds it against the time that
// has passed: whatever the causes, they sum up to the time in which a task waited, and where
// nothing happened to it in between, all of it went to the cause that held.
class WaitWatch {
 public:
  WaitWatch(const Scene& scene, InputsServer& server, const Model& model)
      : scene_(scene), server_(server), model_(model) {}

  void Look();
  // Ages by the wall clock tell nothing of tasks that there are by now.
  void ClockIsSet() { clock_was_set_ = true; }

 private:
  struct Seen {
    inputs::CauseTimes times{};
    absl::Duration at;     // Steady.
    uint64_t changes = 0;  // Of the task.
    uint64_t pauses = 0;   // Of types and namespaces.
    TaskState state = TaskState::kReady;
    std::optional<bool> waits;  // Absent: that is not certain.
  };
  using Book = std::map<TaskId, Seen>;

  Seen See(const TaskView& view) const;
  void Check(const TaskView& view, const Seen& now);
  // How it goes on with a time that it was seen before.
  void CheckSince(const TaskView& view, const Seen& before, const Seen& now) const;
  std::optional<bool> Waits(const TaskView& view, const ModelTask* task) const;
  // What it can have waited for since then; empty: anything.
  using Causes = std::vector<inputs::WaitCause>;
  Causes CausesOf(const TaskView& view, const Seen& before, const Seen& now) const;
  // While it was READY, of a type that is not paused.
  Causes CausesOfReady(const ModelTask& task, const Seen& before) const;

  const Scene scene_;
  InputsServer& server_;
  const Model& model_;
  uint64_t epoch_ = 0;
  Book seen_;  // Since this owner began.
  bool clock_was_set_ = false;
  absl::Duration ages_known_since_ = absl::ZeroDuration();  // Steady time of spawning.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_WAIT_WATCH_H_
