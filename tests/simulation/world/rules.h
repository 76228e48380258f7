#ifndef KANTOKU_TESTS_SIMULATION_WORLD_RULES_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_RULES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/keys.h"
#include "services/inputs/engine/types.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// What tasks ask for beside their turn, keys and others that they depend on, what operators set for
// keys, and the promises about it: held against what is durable, dispatch by dispatch. A limit that
// is lowered takes back nothing that runs, and counts from the next dispatch on.
class Rules {
 public:
  using TaskKey = inputs::TaskKey;

  explicit Rules(const Scene& scene) : scene_(scene) {}

  // A new owner: buckets are empty, and owe nothing.
  void InputsStarted(absl::Duration now);
  // The open group is about to be finished: what it dispatches is decided now, by steady time.
  void GroupEnds(absl::Duration now) { decided_before_ = std::exchange(decided_, now); }

  // ---- Records ----
  void Created(const platform::TaskId& id, std::string_view name_space, std::string_view owner,
               const inputs::TaskSpec& spec);
  void Dispatched(TaskKey task);
  void Ended(const inputs::TaskView& view);
  // Returns whether the record changes anything.
  bool LimitSet(uint64_t number, const inputs::LimitRecord& record);
  void LimitGone(uint64_t number);
  // All of a batch have been read. `runs` tells whether Outputs may still take a result of a task.
  void CheckBatch(const std::function<bool(TaskKey)>& runs);

  // What is set under this number, or for a key; null: nothing is.
  const inputs::LimitRecord* LimitOf(uint64_t number) const;
  const inputs::LimitRecord* LimitOf(std::string_view name_space,
                                     const inputs::KeyName& name) const;
  // A limit as Inputs shows it. `dispatched` tells whether a living task ever was.
  void CheckSlots(std::string_view name_space, const inputs::LimitView& limit,
                  const std::function<bool(TaskKey)>& runs,
                  const std::function<bool(TaskKey)>& dispatched) const;

 private:
  struct Ruled {
    std::string name_space;
    std::string owner;
    std::string type;
    std::shared_ptr<const inputs::TaskKeys> keys;  // Null: none.
    std::vector<inputs::Dependency> dependencies;
  };
  struct Bucket {
    inputs::Rate rate;
    double tokens = 0;
    absl::Duration as_of;

    // Goes on to this time at that pace, in tokens a second.
    void Fill(absl::Duration until, double pace);
  };

  static bool Names(const Ruled& task, std::string_view name_space, std::string_view key,
                    inputs::KeyScope scope, std::string_view whose);
  static bool Shares(const Ruled& task, const Ruled& other,
                     const inputs::TaskKeys::Concurrency& key);
  void TakeTokens(const Ruled& task);
  void SetRate(const inputs::LimitRecord& record, bool back);
  void CheckGone();
  void CheckOrder(TaskKey key, const Ruled& task) const;
  void CheckLimits(const Ruled& task, const std::function<bool(TaskKey)>& runs) const;
  void CheckDependencies(const Ruled& task) const;

  const Scene scene_;
  std::map<TaskKey, Ruled> living_;  // Of those that ask for anything.
  std::map<platform::TaskId, inputs::TaskState> ends_;
  using Name = std::pair<std::string, inputs::KeyName>;  // With the namespace.
  std::map<uint64_t, inputs::LimitRecord> limits_;       // By number.
  std::map<Name, uint64_t> numbers_;
  std::map<std::string, Bucket> buckets_;  // By namespace.
  absl::Duration decided_;
  absl::Duration decided_before_;  // The group before.

  // Of the batch that is applied.
  std::vector<TaskKey> dispatched_;
  std::vector<inputs::LimitRecord> gone_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_RULES_H_
