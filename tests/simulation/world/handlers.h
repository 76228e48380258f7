#ifndef KANTOKU_TESTS_SIMULATION_WORLD_HANDLERS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_HANDLERS_H_

#include <cstdint>
#include <map>
#include <set>
#include <span>

#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// Every handler that runs anywhere, and the promises about two of the same task.
class Handlers {
 public:
  Handlers(const Scene& scene, const Model& model) : scene_(scene), model_(model) {}

  void Begin(int executor, const TaskId& task, uint32_t dispatch,
             std::span<const executor::TaskArgument> arguments) {
    BeginOnce(task);
    if (const ModelTask* const known = model_.Find(task)) model_.CheckArguments(*known, arguments);
    // One that Inputs did not know to run may be overtaken while its report is on the way, and one
    // that was taken back may begin while that news is. Nobody waits for whom is blocked.
    for (const auto& [other, running] : running_[task]) {
      const ModelTask* const known = model_.Find(task);
      const bool told =
          known != nullptr && known->begun.contains(running) && !model_.WasBlocked(*known, running);
      scene_.Expect(other == executor || frozen_.contains(other) || !told || dispatch < running,
                    "no handler begins while another of its task runs within its grace");
    }
    running_[task].emplace(executor, dispatch);
  }
  void End(int executor, const TaskId& task) {
    const auto found = running_.find(task);
    if (found == running_.end()) return;
    found->second.erase(executor);
    if (found->second.empty()) running_.erase(found);
  }
  // Neither stops in time nor is expected to.
  void SetFrozen(int executor, bool frozen) {
    if (frozen) {
      frozen_.insert(executor);
    } else {
      frozen_.erase(executor);
    }
  }

 private:
  // However long ago, on whatever machine, frozen or not.
  void BeginOnce(const TaskId& task) {
    const ModelTask* const known = model_.Find(task);
    if (known == nullptr || !known->once) return;
    scene_.Expect(known->once_begun, "a handler of ONCE begins when its start is durable");
    scene_.Expect(begun_once_.insert(task).second, "a handler of ONCE begins at most once");
  }

  const Scene scene_;
  const Model& model_;
  std::map<TaskId, std::map<int, uint32_t>> running_;  // The dispatch, by executor.
  std::set<int> frozen_;
  std::set<TaskId> begun_once_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_HANDLERS_H_
