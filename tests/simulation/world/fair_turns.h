#ifndef KANTOKU_TESTS_SIMULATION_WORLD_FAIR_TURNS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_FAIR_TURNS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "services/inputs/engine/types.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// The promise of fairness keys: while two of one lane and priority have tasks that wait for nothing
// but their turn, what they get, divided by their weights, differs by one turn of each at most.
//
// That a key has such tasks is sure while one of them has been there since an earlier batch, never
// was dispatched and was asked nothing. What is dispatched counts whatever it is.
class FairTurns {
 public:
  using TaskKey = inputs::TaskKey;

  explicit FairTurns(const Scene& scene) : scene_(scene) {}

  // A new owner begins with new turns.
  void InputsStarted();

  // ---- Records of a batch ----
  void Created(TaskKey task, std::string_view name_space, const inputs::TaskSpec& spec);
  // It is not sure any more that it waits.
  void Left(TaskKey task);
  void Dispatched(TaskKey task, std::string_view name_space, const inputs::TaskSpec& spec);
  // All of them have been read.
  void CheckBatch();

 private:
  // Namespace, type and priority of tasks that may run anywhere.
  using LevelName = std::tuple<std::string, std::string, int32_t>;
  struct Flow {
    std::set<TaskKey> waiting;
    uint32_t weight = 1;
    std::map<std::string, uint64_t> turns;  // Since it and that other flow have waiting tasks.
  };
  using Level = std::map<std::string, Flow>;  // By fairness key; empty: the common one.
  struct Place {
    LevelName level;
    std::string flow;
    uint32_t weight = 1;
  };

  static Place PlaceOf(std::string_view name_space, const inputs::TaskSpec& spec);
  void TakeTurn(const Place& place);

  const Scene scene_;
  std::map<LevelName, Level> levels_;
  std::map<TaskKey, Place> waiting_;

  // Of the batch that is applied.
  std::map<TaskKey, Place> created_;
  std::vector<std::pair<TaskKey, Place>> dispatched_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_FAIR_TURNS_H_
