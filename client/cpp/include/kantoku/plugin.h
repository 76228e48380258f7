#ifndef KANTOKU_PLUGIN_H_
#define KANTOKU_PLUGIN_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/task.h"

namespace kantoku {

// What a plugin keeps for one spawn, from the options to the last hook. Destroyed when the spawn is
// over, however it ends: a destructor is the place to give back what a hook took.
class PluginData {
 public:
  virtual ~PluginData() = default;
};

// Takes part in spawns. A client has plugins for all its spawns (ClientOptions), and a task brings
// its own by Option::ForPlugin; a plugin takes part once, however often it is named.
//
// One spawn calls, for each plugin in that order: MakeData; the task's options; BeforeInitialized
// of every plugin; AfterInitialized of every plugin; BeforeScheduled of every plugin; then the task
// is sent; AfterScheduled of every plugin. An error from a Before hook (or an option) refuses the
// spawn: nothing is sent, no later hook is called, and the caller gets the error with the plugin's
// name in front. A plugin of a batch takes part in each task of it; a refusal stops that task
// alone.
//
// Thread-safe: hooks of different spawns run at the same time, those of one spawn one after
// another. Before hooks run on the caller's thread, AfterScheduled on any; it must not block.
// Shared by clients, tasks and spawns under way.
class Plugin {
 public:
  virtual ~Plugin() = default;

  // For messages: a short word.
  virtual std::string_view name() const = 0;

  // The data of a new spawn. May be null for a plugin that has no options and keeps nothing.
  virtual std::unique_ptr<PluginData> MakeData() { return nullptr; }

  // The spec is complete. May change it.
  virtual absl::Status BeforeInitialized(TaskSpec& /*spec*/, PluginData* /*data*/) {
    return absl::OkStatus();
  }
  // The spec is final.
  virtual void AfterInitialized(const TaskSpec& /*spec*/, PluginData* /*data*/) {}
  // The last moment before the task is sent.
  virtual absl::Status BeforeScheduled(const TaskSpec& /*spec*/, PluginData* /*data*/) {
    return absl::OkStatus();
  }
  // The server has answered, or the client has given up; the caller gets the same `result` next.
  virtual void AfterScheduled(const TaskSpec& /*spec*/,
                              const absl::StatusOr<SpawnedTask>& /*result*/, PluginData* /*data*/) {
  }
};

}  // namespace kantoku

#endif  // KANTOKU_PLUGIN_H_
