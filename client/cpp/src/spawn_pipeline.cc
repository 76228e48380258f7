#include "client/cpp/src/spawn_pipeline.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

absl::Status Refusal(const Plugin& plugin, const absl::Status& status) {
  return platform::Annotate(status, absl::StrCat("plugin ", platform::ToAbsl(plugin.name())));
}

}  // namespace

absl::StatusOr<SpawnPipeline> SpawnPipeline::Prepare(
    Task&& task, const std::vector<std::shared_ptr<Plugin>>& plugins, absl::Time now) {
  absl::StatusOr<SpawnPipeline> pipeline{SpawnPipeline()};
  pipeline->spec_ = std::move(task.spec_);
  for (const auto& plugin : plugins) pipeline->Join(plugin);
  KANTOKU_RETURN_IF_ERROR(pipeline->Apply(task.options_, now));
  KANTOKU_RETURN_IF_ERROR(pipeline->RunBeforeHooks());
  return pipeline;
}

TaskSpec SpawnPipeline::TakeSpec() {
  if (participants_.empty()) return std::move(spec_);
  return spec_;  // AfterScheduled shows it once more.
}

void SpawnPipeline::Scheduled(const absl::StatusOr<SpawnedTask>& result) {
  for (Participant& participant : participants_) {
    participant.plugin->AfterScheduled(spec_, result, participant.data.get());
  }
}

SpawnPipeline::Participant& SpawnPipeline::Join(const std::shared_ptr<Plugin>& plugin) {
  const auto known =
      std::find_if(participants_.begin(), participants_.end(),
                   [&plugin](const Participant& other) { return other.plugin == plugin; });
  if (known != participants_.end()) return *known;
  return participants_.emplace_back(Participant{plugin, plugin->MakeData()});
}

absl::Status SpawnPipeline::Apply(const std::vector<Option>& options, absl::Time now) {
  for (const Option& option : options) {
    if (option.on_spec_) KANTOKU_RETURN_IF_ERROR(option.on_spec_(spec_, now));
    if (option.plugin_ == nullptr) continue;
    const Participant& participant = Join(option.plugin_);
    if (!option.on_data_) continue;
    if (participant.data == nullptr) {
      return Refusal(*option.plugin_,
                     platform::Error(absl::StatusCode::kFailedPrecondition, "NO_PLUGIN_DATA",
                                     "has an option but keeps no data"));
    }
    if (absl::Status status = option.on_data_(*participant.data); !status.ok()) {
      return Refusal(*option.plugin_, status);
    }
  }
  return absl::OkStatus();
}

absl::Status SpawnPipeline::RunBeforeHooks() {
  for (Participant& each : participants_) {
    if (auto status = each.plugin->BeforeInitialized(spec_, each.data.get()); !status.ok()) {
      return Refusal(*each.plugin, status);
    }
  }
  for (Participant& each : participants_) each.plugin->AfterInitialized(spec_, each.data.get());
  for (Participant& each : participants_) {
    if (auto status = each.plugin->BeforeScheduled(spec_, each.data.get()); !status.ok()) {
      return Refusal(*each.plugin, status);
    }
  }
  return absl::OkStatus();
}

}  // namespace kantoku
