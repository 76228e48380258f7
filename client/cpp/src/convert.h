#ifndef KANTOKU_CLIENT_CPP_SRC_CONVERT_H_
#define KANTOKU_CLIENT_CPP_SRC_CONVERT_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/event.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/output.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "kantoku/task.h"
#include "kantoku/task/v1/task.pb.h"
#include "kantoku/task_info.h"

// Between the messages of the wire and the types of the public headers.
namespace kantoku::internal {

// INVALID_ARGUMENT, INVALID_TIME when it is infinite.
absl::Status SetDuration(std::string_view field, absl::Duration from,
                         google::protobuf::Duration& to);

// INVALID_ARGUMENT, INVALID_UTF8 for text that cannot be sent: one such string would cost every
// task of its batch.
absl::Status CheckText(std::string_view field, std::string_view value);

// INVALID_ARGUMENT as CheckText, for names and values.
absl::Status SetEntries(std::string_view field, const std::map<std::string, std::string>& from,
                        google::protobuf::Map<std::string, std::string>& to);

// INVALID_ARGUMENT naming the field for text that is no UTF-8 and for infinite times. `proto` is
// empty before.
absl::Status ToProto(TaskSpec&& spec, task::v1::TaskSpec& proto);

absl::Status ToStatus(const task::v1::ItemStatus& status);
// When the server said that a repeat may be taken, of an item that it had no room for.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

absl::StatusOr<SpawnedTask> ToSpawned(const inputs::v1::SpawnResult& result);
absl::StatusOr<Output> ToOutput(TaskId id, const task::v1::ItemStatus& status,
                                outputs::v1::Result result);
absl::StatusOr<TaskInfo> ToInfo(const task::v1::TaskInfo& info);
TaskState ToState(task::v1::TaskState state);
task::v1::TaskState ToProto(TaskState state);
// All but the ids. INVALID_ARGUMENT for an infinite escalation.
absl::StatusOr<inputs::v1::ControlRequest> ToProto(ControlVerb verb, const ControlOptions& options);
// INVALID_ARGUMENT as above.
absl::StatusOr<inputs::v1::RestartTasksRequest> ToProto(DeadTaskQuery query);
RestartedTask ToRestarted(const inputs::v1::RestartResult& result);
ExecutorInfo ToExecutor(inputs::v1::ExecutorInfo executor);
std::vector<Event> ToEvents(const google::protobuf::RepeatedPtrField<events::v1::Event>& events);

// `namespace_name` with the filter; INVALID_ARGUMENT as above.
absl::Status ToProto(const EventFilter& filter, const std::string& namespace_name,
                     events::v1::EventFilter& proto);

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_CONVERT_H_
