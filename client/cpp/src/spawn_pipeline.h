#ifndef KANTOKU_CLIENT_CPP_SRC_SPAWN_PIPELINE_H_
#define KANTOKU_CLIENT_CPP_SRC_SPAWN_PIPELINE_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/plugin.h"
#include "kantoku/task.h"

namespace kantoku {

// The plugins' part of one spawn.
//
// Thread-compatible.
class SpawnPipeline {
 public:
  // Applies the options of `task` and runs every hook up to BeforeScheduled, or returns why one of
  // them refuses.
  static absl::StatusOr<SpawnPipeline> Prepare(Task&& task,
                                               const std::vector<std::shared_ptr<Plugin>>& plugins,
                                               absl::Time now);

  TaskSpec& spec() { return spec_; }
  // The final spec; once.
  TaskSpec TakeSpec();
  // Runs the hook AfterScheduled.
  void Scheduled(const absl::StatusOr<SpawnedTask>& result);

 private:
  struct Participant {
    std::shared_ptr<Plugin> plugin;
    std::unique_ptr<PluginData> data;
  };

  Participant& Join(const std::shared_ptr<Plugin>& plugin);
  absl::Status Apply(const std::vector<Option>& options, absl::Time now);
  absl::Status RunBeforeHooks();

  TaskSpec spec_;
  std::vector<Participant> participants_;
};

}  // namespace kantoku

#endif  // KANTOKU_CLIENT_CPP_SRC_SPAWN_PIPELINE_H_
