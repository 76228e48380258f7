#include "services/inputs/wire.h"

#include "absl/strings/str_cat.h"
#include "services/inputs/keys_reader.h"
#include "services/inputs/partition/provenance_proto.h"
#include "services/inputs/partition/spawn_refusal.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {
namespace {

std::string DescribeOpen(const TaskView& view) {
  const uint32_t others = view.open_dependencies - 1;
  std::string text = absl::StrCat("task ", view.open_dependency.ToString());
  if (others == 0) return text + " has not ended";
  absl::StrAppend(&text, " and ", others, others == 1 ? " other" : " others", " have not ended");
  return text;
}

void SetPlacement(const Placement& placement, task::v1::Placement& proto) {
  if (placement.selector.has_value()) proto.set_selector(placement.selector->canonical());
  proto.set_executor(placement.pins.executor);
  proto.set_app(placement.pins.app);
  proto.set_owner(placement.pins.owner);
}

}  // namespace

void SetStatus(const absl::Status& status, task::v1::ItemStatus& proto) {
  proto.set_code(status.raw_code());
  proto.set_reason(platform::ReasonOf(status));
  proto.set_message(std::string(platform::ToStd(status.message())));
}

namespace {

// What has no room says when to ask again.
void SetStatusWithDelay(const absl::Status& status, task::v1::ItemStatus& proto) {
  SetStatus(status, proto);
  if (!absl::IsResourceExhausted(status)) return;
  *proto.mutable_retry_after() = platform::ToProto(kRetryAfter);
}

void SetAttempts(const TaskView& view, task::v1::TaskInfo& proto) {
  if (view.attempts == nullptr) return;
  for (const FailedAttempt& attempt : *view.attempts) {
    task::v1::FailedAttempt& failed = *proto.add_attempts();
    failed.set_dispatch(attempt.dispatch);
    *failed.mutable_ended_at() = platform::ToProto(attempt.at);
    failed.mutable_error()->set_reason(attempt.failure.reason);
    failed.mutable_error()->set_message(attempt.failure.message);
  }
}

}  // namespace

void SetSpawnResult(const SpawnOutcome::Item& item, v1::SpawnResult& proto) {
  if (const absl::Status refusal = RefusalOf(item); !refusal.ok()) {
    SetStatusWithDelay(refusal, *proto.mutable_status());
  }
  if (!item.refusal.empty()) return;
  proto.mutable_task_id()->assign(item.id.bytes());
  proto.set_created(item.created);
  proto.set_reused(item.reused);
}

void SetControlResult(const absl::StatusOr<TaskState>& state, v1::ControlResult& proto) {
  SetStatus(state.status(), *proto.mutable_status());
  if (state.ok()) proto.set_state(ToProto(*state));
}

void SetTaskResult(const absl::StatusOr<TaskView>& view, bool state_only,
                   v1::GetTaskResult& proto) {
  SetStatus(view.status(), *proto.mutable_status());
  if (!view.ok()) return;
  if (!state_only) {
    SetTaskInfo(*view, *proto.mutable_info());
    return SetAttempts(*view, *proto.mutable_info());
  }
  proto.mutable_info()->set_task_id(std::string(view->id.bytes()));
  proto.mutable_info()->set_state(ToProto(view->state));
}

void SetTaskResult(const absl::StatusOr<TaskView>& view, bool state_only, size_t& room,
                   v1::GetTaskResult& proto) {
  SetTaskResult(view, state_only, proto);
  if (!view.ok()) return;
  const size_t bytes = proto.ByteSizeLong();
  if (bytes <= room) {
    room -= bytes;
    return;
  }
  proto.clear_info();
  SetStatus(platform::Error(absl::StatusCode::kResourceExhausted, "ANSWER_TOO_LARGE",
                            "task_ids: the answer is full; ask for this task again"),
            *proto.mutable_status());
}

void SetTaskInfo(const TaskView& view, task::v1::TaskInfo& proto) {
  proto.set_task_id(std::string(view.id.bytes()));
  proto.set_namespace_(view.name_space);
  proto.set_owner(view.owner);
  proto.set_type(view.type);
  proto.set_reference(view.reference);
  proto.set_priority(view.priority);
  proto.set_state(ToProto(view.state));
  proto.set_wait_cause(ToProto(view.cause));
  proto.set_failed_attempts(view.failed_attempts);
  proto.set_dispatch(view.dispatch);
  if (!view.session.empty()) proto.set_session_id(std::string(view.session.bytes()));
  *proto.mutable_created_at() = platform::ToProto(view.id.time());
  if (view.ended_at.has_value()) *proto.mutable_ended_at() = platform::ToProto(*view.ended_at);
  if (!view.last_failure.empty()) {
    proto.mutable_last_error()->set_reason(view.last_failure.reason);
    proto.mutable_last_error()->set_message(view.last_failure.message);
  }
  if (view.progress >= 0) proto.set_progress(view.progress);
  if (!view.parent.empty()) proto.set_parent_id(std::string(view.parent.bytes()));
  if (!view.root.empty()) proto.set_root_id(std::string(view.root.bytes()));
  if (view.open_dependencies > 0) {
    proto.set_open_dependencies(view.open_dependencies);
    proto.set_wait_detail(DescribeOpen(view));
  }
  for (size_t cause = 0; view.waits != nullptr && cause < kWaitCauses; ++cause) {
    const int64_t time = (*view.waits)[cause];
    if (time == 0) continue;
    task::v1::Wait& wait = *proto.add_waits();
    wait.set_cause(static_cast<task::v1::WaitCause>(cause));
    *wait.mutable_time() = platform::ToProto(absl::Milliseconds(time));
  }
  if (!view.detail.empty()) proto.set_wait_detail(view.detail);
  if (view.keys != nullptr) SetKeys(*view.keys, proto);
  if (view.info != nullptr) {
    for (const Label& label : view.info->labels) (*proto.mutable_info())[label.name] = label.value;
    proto.set_info_revision(view.info->revision);
    proto.set_context_id(view.info->context);
  }
  SetProvenance(view.owner, IsBelowRoot(view), view.provenance, *proto.mutable_provenance());
  if (!view.restarted_from.empty()) {
    proto.set_restarted_from(std::string(view.restarted_from.bytes()));
  }
  if (!view.restarted_as.empty()) proto.set_restarted_as(std::string(view.restarted_as.bytes()));
  if (view.place == nullptr) return;
  if (!view.place->placement.empty()) {
    SetPlacement(view.place->placement, *proto.mutable_placement());
  }
  if (view.cause == WaitCause::kPlacementUnmatched) {
    proto.set_wait_detail(view.place->why_unmatched);
  }
}

void SetRestartResult(const RestartPage::Restarted& restarted, v1::RestartResult& proto) {
  proto.set_task_id(std::string(restarted.dead.bytes()));
  SetStatusWithDelay(restarted.successor.status(), *proto.mutable_status());
  proto.set_created(restarted.created);
  if (restarted.successor.ok() && !restarted.successor->empty()) {
    proto.set_new_task_id(std::string(restarted.successor->bytes()));
  }
}

void SetExecutorInfo(const SessionView& view, v1::ExecutorInfo& proto) {
  proto.set_session_id(std::string(view.id.bytes()));
  proto.set_name(view.name);
  proto.set_executor_owner(view.caller.subject);
  proto.set_client_id(view.caller.client_id);
  proto.mutable_types()->Assign(view.types.begin(), view.types.end());
  proto.set_connected(view.connected);
  proto.set_max_held(view.max_held);
  proto.set_held(view.held);
  *proto.mutable_connected_at() = platform::ToProto(view.connected_at);
  for (const Label& label : view.labels) (*proto.mutable_labels())[label.name] = label.value;
  proto.set_version(view.version);
  proto.set_leaving(view.leaving);
}

// The engine's numbers are the wire's: both are recorded and never change.
task::v1::TaskState ToProto(TaskState state) { return static_cast<task::v1::TaskState>(state); }
task::v1::WaitCause ToProto(WaitCause cause) { return static_cast<task::v1::WaitCause>(cause); }

std::vector<TaskState> ReadStates(const google::protobuf::RepeatedField<int>& protos) {
  std::vector<TaskState> states;
  for (const int state : protos) states.push_back(static_cast<TaskState>(state));
  return states;
}

}  // namespace kantoku::inputs
