#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"

// Results of PURE tasks, which others may reuse.
namespace kantoku::simulation {

const PureResult* Model::PureResultOf(const TaskId& task) const {
  const auto found = pure_results_.find(task);
  return found == pure_results_.end() ? nullptr : &found->second;
}

void Model::PureResultStored(const ModelTask& task) {
  if (task.spec->effect != inputs::Effect::kPure) return;
  pure_results_[task.id] = {.name_space = task.name_space,
                            .owner = task.owner,
                            .type = task.type,
                            .payload = task.payload,
                            .equal = task.spec->equal,
                            .retention_s = task.spec->retention_s,
                            .put_at = scene_.clock.Read().steady,
                            .clock_sets = scene_.clock.sets(),
                            .ended = std::nullopt};
}

// Its end is durable, too.
void Model::PureEnded(const ModelTask& task) {
  const auto result = pure_results_.find(task.id);
  if (result != pure_results_.end()) result->second.ended = scene_.clock.Read().steady;
}

void Model::ReuseWritten(TaskKey key, std::string_view bytes) {
  const auto record = inputs::DecodeReuse(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  const PureResult* const result = PureResultOf(record->task);
  scene_.Expect(record->task.key() == key && result != nullptr && result->equal == record->equal,
                "only results of PURE tasks are kept for reuse");
  reusable_.insert(key);
}

}  // namespace kantoku::simulation
