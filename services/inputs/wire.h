#ifndef KANTOKU_SERVICES_INPUTS_WIRE_H_
#define KANTOKU_SERVICES_INPUTS_WIRE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/task/v1/task.pb.h"
#include "services/inputs/engine/commands.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/partition/partition.h"

// Answers of the partition as messages.
namespace kantoku::inputs {

// The namespace of a call, which may leave it out.
template <typename Request>
std::string NamespaceOf(const Request& request) {
  return request.namespace_().empty() ? "default" : request.namespace_();
}

void SetStatus(const absl::Status& status, task::v1::ItemStatus& proto);
// How long to wait before what has no room is sent again.
inline constexpr absl::Duration kRetryAfter = absl::Seconds(1);

void SetSpawnResult(const SpawnOutcome::Item& item, v1::SpawnResult& proto);
void SetControlResult(const absl::StatusOr<TaskState>& state, v1::ControlResult& proto);
void SetTaskResult(const absl::StatusOr<TaskView>& view, bool state_only, v1::GetTaskResult& proto);
// As above, for one of many tasks: what does not fit into the `room` (bytes) that is left is
// RESOURCE_EXHAUSTED, ANSWER_TOO_LARGE.
void SetTaskResult(const absl::StatusOr<TaskView>& view, bool state_only, size_t& room,
                   v1::GetTaskResult& proto);
void SetTaskInfo(const TaskView& view, task::v1::TaskInfo& proto);
void SetRestartResult(const RestartPage::Restarted& restarted, v1::RestartResult& proto);
void SetExecutorInfo(const SessionView& view, v1::ExecutorInfo& proto);

task::v1::TaskState ToProto(TaskState state);
task::v1::WaitCause ToProto(WaitCause cause);
std::vector<TaskState> ReadStates(const google::protobuf::RepeatedField<int>& protos);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_WIRE_H_
