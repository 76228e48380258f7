#ifndef KANTOKU_TESTS_SUPPORT_ENGINE_RECORDS_H_
#define KANTOKU_TESTS_SUPPORT_ENGINE_RECORDS_H_

#include <map>
#include <memory>
#include <string>

#include "services/inputs/engine/engine.h"

namespace kantoku::inputs::testing {

// What a store holds of an engine: applies the records of committed groups, and makes an engine of
// them again. Times lose what is below a millisecond, as in a store.
//
// Thread-compatible.
class EngineRecords {
 public:
  struct Spec {
    TaskId id;
    std::string name_space;
    std::string owner;
    TaskSpec spec;
  };

  // The specs that a spawn created, with the provenance that the engine tells, if one does; to be
  // added before its group is applied.
  void AddSpecs(const std::string& name_space, const std::string& owner,
                const std::vector<TaskSpec>& specs, const SpawnOutcome& outcome,
                const Engine* engine = nullptr);
  // The spec of a restarted task; as above.
  void AddSpec(const TaskId& id, const std::string& name_space, const std::string& owner,
               const TaskSpec& spec);
  void Apply(const Effects& effects);

  std::unique_ptr<Engine> Recover(const EngineOptions& options, const platform::Now& now,
                                  Effects& effects) const;

  std::map<TaskKey, Spec> specs;
  std::map<TaskKey, StateRecord> states;
  std::map<uint64_t, DispatchGroupRecord> groups;
  std::map<uint64_t, SessionRecord> sessions;
  std::map<TaskKey, ReferenceRecord> references;
  std::map<TaskKey, TreeRecord> trees;
  std::map<TaskKey, EndedDependencyRecord> ended_dependencies;
  std::map<uint64_t, RequestRecord> requests;
  std::map<uint64_t, RouteRecord> routes;
  std::map<uint64_t, LimitRecord> limits;
  std::map<uint64_t, PauseRecord> pauses;
  std::map<uint64_t, platform::Block> blocks;
  std::map<TaskKey, RestartRecord> restarts;
  std::map<TaskKey, Info> infos;
  std::map<TaskKey, ReuseRecord> reuses;
  std::map<uint64_t, uint64_t> high_water;
  std::map<uint64_t, std::vector<TaskView>> history;
  std::map<uint64_t, std::vector<TaskView>> dead;
};

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_SUPPORT_ENGINE_RECORDS_H_
