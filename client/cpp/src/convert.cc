#include "client/cpp/src/convert.h"

#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/src/convert_keys.h"
#include "client/cpp/src/status_payloads.h"
#include "services/platform/ids.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

namespace taskpb = ::kantoku::task::v1;

absl::Status Infinite(std::string_view field) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_TIME",
                         absl::StrCat(platform::ToAbsl(field), " is infinite"));
}

absl::Status SetTime(std::string_view field, absl::Time from, google::protobuf::Timestamp& to) {
  if (from == absl::InfiniteFuture() || from == absl::InfinitePast()) return Infinite(field);
  const int64_t seconds = absl::ToUnixSeconds(from);
  to.set_seconds(seconds);
  to.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(from - absl::FromUnixSeconds(seconds))));
  return absl::OkStatus();
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Status SetRetry(const RetryPolicy& from, taskpb::RetryPolicy& to) {
  if (from.max_attempts.has_value()) to.set_max_attempts(*from.max_attempts);
  if (from.initial_backoff.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetDuration("retry.initial_backoff", *from.initial_backoff, *to.mutable_initial_backoff()));
  }
  if (from.max_backoff.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetDuration("retry.max_backoff", *from.max_backoff, *to.mutable_max_backoff()));
  }
  if (from.multiplier.has_value()) to.set_multiplier(*from.multiplier);
  if (from.jitter.has_value()) to.set_jitter(*from.jitter);
  for (const std::string& reason : from.non_retryable_reasons) {
    KANTOKU_RETURN_IF_ERROR(CheckText("retry.non_retryable_reasons", reason));
    to.add_non_retryable_reasons(reason);
  }
  return absl::OkStatus();
}

taskpb::Effect ToProto(EffectClass effect) {
  switch (effect) {
    case EffectClass::kPure:
      return taskpb::EFFECT_PURE;
    case EffectClass::kIdempotent:
      return taskpb::EFFECT_IDEMPOTENT;
    case EffectClass::kOnce:
      return taskpb::EFFECT_ONCE;
  }
  return taskpb::EFFECT_UNSPECIFIED;
}

// Requests that ask for the same leave together, so there are to be few different ones: to a tenth,
// at most, of what was meant, and never longer.
absl::Duration Coarsened(absl::Duration escalation) {
  absl::Duration step = absl::Milliseconds(1);
  while (step * 100 <= escalation && step < absl::Minutes(10)) step *= 10;
  return escalation <= absl::ZeroDuration() || escalation == absl::InfiniteDuration()
             ? escalation
             : std::max(absl::Floor(escalation, step), absl::Milliseconds(1));
}

absl::Status SetPlacement(PlacementPolicy from, taskpb::Placement& to) {
  KANTOKU_RETURN_IF_ERROR(CheckText("placement.selector", from.selector));
  KANTOKU_RETURN_IF_ERROR(CheckText("placement.executor", from.executor));
  KANTOKU_RETURN_IF_ERROR(CheckText("placement.app", from.app));
  KANTOKU_RETURN_IF_ERROR(CheckText("placement.owner", from.owner));
  to.set_selector(std::move(from.selector));
  to.set_executor(std::move(from.executor));
  to.set_app(std::move(from.app));
  to.set_owner(std::move(from.owner));
  return absl::OkStatus();
}

absl::Status SetDependency(const Dependency& from, taskpb::Dependency& to) {
  if (!from.task.empty()) to.set_task_id(from.task.bytes().data(), TaskId::kSize);
  if (from.index.has_value()) {
    if (*from.index > UINT32_MAX) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "DEPENDENCY_INDEX",
                             absl::StrCat("dependencies.index: ", *from.index, " is none"));
    }
    to.set_index(static_cast<uint32_t>(*from.index));
  }
  switch (from.on_failure) {
    case OnFailure::kFail:
      to.set_on_failure(taskpb::ON_FAILURE_FAIL);
      break;
    case OnFailure::kSkip:
      to.set_on_failure(taskpb::ON_FAILURE_SKIP);
      break;
    case OnFailure::kRun:
      to.set_on_failure(taskpb::ON_FAILURE_RUN);
      break;
  }
  to.set_argument(from.argument);
  return absl::OkStatus();
}

PlacementPolicy ToPlacement(const taskpb::Placement& from) {
  return {.selector = from.selector(),
          .executor = from.executor(),
          .app = from.app(),
          .owner = from.owner()};
}

std::string UuidText(const std::string& bytes) {
  if (bytes.empty()) return {};
  const auto id = platform::Uuid::FromBytes(bytes);
  return id.ok() ? id->ToString() : std::string();
}

TaskError ToError(const taskpb::TaskError& error) {
  return {.reason = error.reason(), .message = error.message()};
}

WaitCause ToCause(taskpb::WaitCause cause) {
  switch (cause) {
    case taskpb::WAIT_CAUSE_DELAY:
      return WaitCause::kDelay;
    case taskpb::WAIT_CAUSE_BACKOFF:
      return WaitCause::kBackoff;
    case taskpb::WAIT_CAUSE_FENCE:
      return WaitCause::kFence;
    case taskpb::WAIT_CAUSE_NO_IMPLEMENTATION:
      return WaitCause::kNoImplementation;
    case taskpb::WAIT_CAUSE_NO_CREDIT:
      return WaitCause::kNoCredit;
    case taskpb::WAIT_CAUSE_EXECUTOR_QUEUE:
      return WaitCause::kExecutorQueue;
    case taskpb::WAIT_CAUSE_PLACEMENT_UNMATCHED:
      return WaitCause::kPlacementUnmatched;
    case taskpb::WAIT_CAUSE_PAUSED:
      return WaitCause::kPaused;
    case taskpb::WAIT_CAUSE_DEPENDENCY:
      return WaitCause::kDependency;
    case taskpb::WAIT_CAUSE_RECOVERING:
      return WaitCause::kRecovering;
    case taskpb::WAIT_CAUSE_ORDERING_KEY:
      return WaitCause::kOrderingKey;
    case taskpb::WAIT_CAUSE_CONCURRENCY_KEY:
      return WaitCause::kConcurrencyKey;
    case taskpb::WAIT_CAUSE_RATE_KEY:
      return WaitCause::kRateKey;
    case taskpb::WAIT_CAUSE_FAIRNESS_TURN:
      return WaitCause::kFairnessTurn;
    default:
      return WaitCause::kNone;
  }
}

constexpr std::array<std::pair<TaskState, taskpb::TaskState>, 15> kStates = {{
    {TaskState::kUnknown, taskpb::TASK_STATE_UNSPECIFIED},
    {TaskState::kBlocked, taskpb::TASK_STATE_BLOCKED},
    {TaskState::kScheduled, taskpb::TASK_STATE_SCHEDULED},
    {TaskState::kReady, taskpb::TASK_STATE_READY},
    {TaskState::kLeased, taskpb::TASK_STATE_LEASED},
    {TaskState::kRunning, taskpb::TASK_STATE_RUNNING},
    {TaskState::kCancelling, taskpb::TASK_STATE_CANCELLING},
    {TaskState::kInterrupting, taskpb::TASK_STATE_INTERRUPTING},
    {TaskState::kPausing, taskpb::TASK_STATE_PAUSING},
    {TaskState::kPaused, taskpb::TASK_STATE_PAUSED},
    {TaskState::kResuming, taskpb::TASK_STATE_RESUMING},
    {TaskState::kSettling, taskpb::TASK_STATE_SETTLING},
    {TaskState::kSucceeded, taskpb::TASK_STATE_SUCCEEDED},
    {TaskState::kFailed, taskpb::TASK_STATE_FAILED},
    {TaskState::kCancelled, taskpb::TASK_STATE_CANCELLED},
}};

absl::Time CreationTime(TaskId id) {
  const auto parsed = platform::TaskId::FromBytes(id.bytes());
  return parsed.ok() ? parsed->time() : absl::UnixEpoch();
}

}  // namespace

absl::Status SetDuration(std::string_view field, absl::Duration from,
                         google::protobuf::Duration& to) {
  if (from == absl::InfiniteDuration() || from == -absl::InfiniteDuration()) return Infinite(field);
  const int64_t seconds = absl::IDivDuration(from, absl::Seconds(1), &from);
  to.set_seconds(seconds);
  to.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(from)));
  return absl::OkStatus();
}

absl::Status CheckText(std::string_view field, std::string_view value) {
  if (google::protobuf::internal::IsStructurallyValidUTF8(value.data(),
                                                          static_cast<int>(value.size()))) {
    return absl::OkStatus();
  }
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_UTF8",
                         absl::StrCat(platform::ToAbsl(field), " is not valid UTF-8"));
}

absl::Status ToProto(TaskSpec&& spec, taskpb::TaskSpec& proto) {
  KANTOKU_RETURN_IF_ERROR(CheckText("type", spec.type));
  KANTOKU_RETURN_IF_ERROR(CheckText("content_type", spec.content_type));
  KANTOKU_RETURN_IF_ERROR(CheckText("reference", spec.reference));
  // A text that is set, if to nothing, is allocated.
  proto.set_type(std::move(spec.type));
  proto.set_payload(std::move(spec.payload));
  if (!spec.content_type.empty()) proto.set_content_type(std::move(spec.content_type));
  if (!spec.reference.empty()) proto.set_reference(std::move(spec.reference));
  proto.set_priority(spec.priority);
  if (spec.not_before.has_value()) {
    KANTOKU_RETURN_IF_ERROR(SetTime("not_before", *spec.not_before, *proto.mutable_not_before()));
  }
  if (spec.timeout == absl::InfiniteDuration()) {
    proto.set_no_timeout(true);
  } else if (spec.timeout.has_value()) {
    KANTOKU_RETURN_IF_ERROR(SetDuration("timeout", *spec.timeout, *proto.mutable_timeout()));
  }
  if (spec.expire_at.has_value()) {
    KANTOKU_RETURN_IF_ERROR(SetTime("expire_at", *spec.expire_at, *proto.mutable_expire_at()));
  }
  if (spec.total_timeout.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetDuration("total_timeout", *spec.total_timeout, *proto.mutable_total_timeout()));
  }
  if (spec.retry.has_value())
    KANTOKU_RETURN_IF_ERROR(SetRetry(*spec.retry, *proto.mutable_retry()));
  if (spec.result_retention.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetDuration("result_retention", *spec.result_retention, *proto.mutable_result_retention()));
  }
  if (spec.effect.has_value()) proto.set_effect(ToProto(*spec.effect));
  if (spec.reuse_within.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetDuration("reuse_within", *spec.reuse_within, *proto.mutable_reuse_within()));
  }
  if (spec.placement.has_value()) {
    KANTOKU_RETURN_IF_ERROR(SetPlacement(*std::move(spec.placement), *proto.mutable_placement()));
  }
  KANTOKU_RETURN_IF_ERROR(SetKeys(std::move(spec.keys), proto));
  if (!spec.parent.empty()) proto.set_parent_id(spec.parent.bytes().data(), TaskId::kSize);
  if (!spec.root.empty()) proto.set_root_id(spec.root.bytes().data(), TaskId::kSize);
  for (const Dependency& dependency : spec.dependencies) {
    KANTOKU_RETURN_IF_ERROR(SetDependency(dependency, *proto.add_dependencies()));
  }
  if (!spec.info.empty()) {
    KANTOKU_RETURN_IF_ERROR(SetEntries("info", spec.info, *proto.mutable_info()));
  }
  if (!spec.context_id.empty()) {
    KANTOKU_RETURN_IF_ERROR(CheckText("context_id", spec.context_id));
    proto.set_context_id(std::move(spec.context_id));
  }
  return absl::OkStatus();
}

absl::Status SetEntries(std::string_view field, const std::map<std::string, std::string>& from,
                        google::protobuf::Map<std::string, std::string>& to) {
  for (const auto& [name, value] : from) {
    KANTOKU_RETURN_IF_ERROR(CheckText(field, name));
    KANTOKU_RETURN_IF_ERROR(CheckText(field, value));
    to[name] = value;
  }
  return absl::OkStatus();
}

absl::Status ToStatus(const taskpb::ItemStatus& status) {
  if (status.code() == 0) return absl::OkStatus();
  absl::Status read = platform::Error(static_cast<absl::StatusCode>(status.code()), status.reason(),
                                      status.message());
  const absl::Duration after = platform::FromProto(status.retry_after());
  if (absl::IsResourceExhausted(read) && after > absl::ZeroDuration()) {
    read.SetPayload(kRetryAfterPayload, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(after))));
  }
  return read;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const auto text = status.GetPayload(kRetryAfterPayload);
  int64_t millis = 0;
  if (!text.has_value() || !absl::SimpleAtoi(std::string(*text), &millis)) return std::nullopt;
  return absl::Milliseconds(std::max<int64_t>(millis, 1));
}

absl::StatusOr<SpawnedTask> ToSpawned(const inputs::v1::SpawnResult& result) {
  const auto id = TaskId::FromBytes(result.task_id());
  if (absl::Status status = ToStatus(result.status()); !status.ok()) {
    if (id.ok()) status.SetPayload(kTaskIdPayload, absl::Cord(id->ToString()));
    return status;
  }
  if (!id.ok()) {
    return platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                           absl::StrCat("the server gave no task id: ", id.status().message()));
  }
  return SpawnedTask{.id = *id,
                     .created = result.created(),
                     .reused = result.reused(),
                     .created_at = CreationTime(*id)};
}

absl::StatusOr<Output> ToOutput(TaskId id, const taskpb::ItemStatus& status,
                                outputs::v1::Result result) {
  KANTOKU_RETURN_IF_ERROR(ToStatus(status));
  Output output;
  output.id = id;
  switch (result.status()) {
    case outputs::v1::RESULT_STATUS_SUCCEEDED:
      output.status = OutputStatus::kSucceeded;
      break;
    case outputs::v1::RESULT_STATUS_CANCELLED:
      output.status = OutputStatus::kCancelled;
      break;
    case outputs::v1::RESULT_STATUS_FAILED:
      output.status = OutputStatus::kFailed;
      break;
    default:
      return platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                             absl::StrCat("task ", id.ToString(), " ended in the unknown way ",
                                          static_cast<int>(result.status())));
  }
  output.data = std::move(*result.mutable_data());
  output.content_type = std::move(*result.mutable_content_type());
  if (result.has_error()) output.error = ToError(result.error());
  output.dispatch = result.dispatch();
  output.ended_at = ToTime(result.ended_at());
  return output;
}

namespace {

Provenance ToProvenance(const taskpb::Provenance& from) {
  Provenance provenance{.user = from.user(),
                        .app = from.app(),
                        .spawner_app = from.spawner_app(),
                        .spawner_executor_owner = from.spawner_executor_owner()};
  for (const std::string& bytes : from.ancestors()) {
    if (const auto id = TaskId::FromBytes(bytes); id.ok()) provenance.ancestors.push_back(*id);
  }
  return provenance;
}

}  // namespace

absl::StatusOr<TaskInfo> ToInfo(const taskpb::TaskInfo& from) {
  TaskInfo info;
  KANTOKU_ASSIGN_OR_RETURN(info.id, TaskId::FromBytes(from.task_id()));
  info.namespace_name = from.namespace_();
  info.owner = from.owner();
  info.type = from.type();
  info.reference = from.reference();
  info.priority = from.priority();
  info.state = ToState(from.state());
  info.wait_cause = ToCause(from.wait_cause());
  info.wait_detail = from.wait_detail();
  info.failed_attempts = from.failed_attempts();
  info.dispatch = from.dispatch();
  info.session_id = UuidText(from.session_id());
  info.created_at = from.has_created_at() ? ToTime(from.created_at()) : CreationTime(info.id);
  if (from.has_ended_at()) info.ended_at = ToTime(from.ended_at());
  if (from.has_last_error()) info.last_error = ToError(from.last_error());
  for (const taskpb::FailedAttempt& attempt : from.attempts()) {
    info.attempts.push_back(
        {attempt.dispatch(), ToTime(attempt.ended_at()), ToError(attempt.error())});
  }
  if (from.has_progress()) info.progress = from.progress();
  if (from.has_placement()) info.placement = ToPlacement(from.placement());
  for (const taskpb::Wait& wait : from.waits()) {
    info.waits.push_back({ToCause(wait.cause()), platform::FromProto(wait.time())});
  }
  info.keys = ToKeys(from);
  if (auto parent = TaskId::FromBytes(from.parent_id()); parent.ok()) info.parent = *parent;
  if (auto root = TaskId::FromBytes(from.root_id()); root.ok()) info.root = *root;
  info.open_dependencies = from.open_dependencies();
  info.info.insert(from.info().begin(), from.info().end());
  info.info_revision = from.info_revision();
  info.context_id = from.context_id();
  info.restarted_from = TaskId::FromBytes(from.restarted_from()).value_or(TaskId());
  info.restarted_as = TaskId::FromBytes(from.restarted_as()).value_or(TaskId());
  info.provenance = ToProvenance(from.provenance());
  return info;
}

TaskState ToState(taskpb::TaskState state) {
  for (const auto& [ours, theirs] : kStates) {
    if (theirs == state) return ours;
  }
  return TaskState::kUnknown;
}

taskpb::TaskState ToProto(TaskState state) {
  for (const auto& [ours, theirs] : kStates) {
    if (ours == state) return theirs;
  }
  return taskpb::TASK_STATE_UNSPECIFIED;
}

absl::StatusOr<inputs::v1::ControlRequest> ToProto(ControlVerb verb,
                                                   const ControlOptions& options) {
  inputs::v1::ControlRequest proto;
  switch (verb) {
    case ControlVerb::kCancel:
      proto.set_verb(inputs::v1::CONTROL_VERB_CANCEL);
      break;
    case ControlVerb::kInterrupt:
      proto.set_verb(inputs::v1::CONTROL_VERB_INTERRUPT);
      break;
    case ControlVerb::kPause:
      proto.set_verb(inputs::v1::CONTROL_VERB_PAUSE);
      break;
    case ControlVerb::kResume:
      proto.set_verb(inputs::v1::CONTROL_VERB_RESUME);
      break;
    case ControlVerb::kStep:
      proto.set_verb(inputs::v1::CONTROL_VERB_STEP);
      break;
  }
  proto.set_tree(options.tree);
  KANTOKU_RETURN_IF_ERROR(CheckText("why", options.why));
  proto.set_why(options.why);
  if (options.escalation.has_value()) {
    const absl::Duration escalation = Coarsened(*options.escalation);
    KANTOKU_RETURN_IF_ERROR(SetDuration("escalation", escalation, *proto.mutable_escalation()));
  }
  return proto;
}

absl::StatusOr<inputs::v1::RestartTasksRequest> ToProto(DeadTaskQuery query) {
  KANTOKU_RETURN_IF_ERROR(CheckText("type", query.type));
  KANTOKU_RETURN_IF_ERROR(CheckText("reason", query.reason));
  KANTOKU_RETURN_IF_ERROR(CheckText("page_token", query.page_token));
  inputs::v1::RestartTasksRequest proto;
  proto.set_page_size(query.page_size);
  proto.set_page_token(std::move(query.page_token));
  inputs::v1::DeadTaskFilter& filter = *proto.mutable_matching();
  filter.set_type(std::move(query.type));
  filter.set_reason(std::move(query.reason));
  KANTOKU_RETURN_IF_ERROR(CheckText("filter", query.filter));
  KANTOKU_RETURN_IF_ERROR(CheckText("context_id", query.context_id));
  filter.set_filter(std::move(query.filter));
  filter.set_context_id(std::move(query.context_id));
  for (const TaskState state : query.states) filter.add_states(ToProto(state));
  if (!query.root.empty()) filter.set_root_id(query.root.bytes().data(), TaskId::kSize);
  if (query.ended_after.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetTime("ended_after", *query.ended_after, *filter.mutable_ended_after()));
  }
  if (query.ended_before.has_value()) {
    KANTOKU_RETURN_IF_ERROR(
        SetTime("ended_before", *query.ended_before, *filter.mutable_ended_before()));
  }
  return proto;
}

RestartedTask ToRestarted(const inputs::v1::RestartResult& result) {
  return {.dead = TaskId::FromBytes(result.task_id()).value_or(TaskId()),
          .status = ToStatus(result.status()),
          .id = TaskId::FromBytes(result.new_task_id()).value_or(TaskId()),
          .created = result.created()};
}

ExecutorInfo ToExecutor(inputs::v1::ExecutorInfo from) {
  ExecutorInfo executor;
  executor.session_id = UuidText(from.session_id());
  executor.name = std::move(*from.mutable_name());
  executor.executor_owner = std::move(*from.mutable_executor_owner());
  executor.client_id = std::move(*from.mutable_client_id());
  executor.types.assign(from.types().begin(), from.types().end());
  executor.labels.insert(from.labels().begin(), from.labels().end());
  executor.version = std::move(*from.mutable_version());
  executor.connected = from.connected();
  executor.max_held = from.max_held();
  executor.held = from.held();
  executor.leaving = from.leaving();
  executor.connected_at = ToTime(from.connected_at());
  return executor;
}

namespace {

void Fill(const events::v1::Event& from, Event& event) {
  event.position = from.position();
  event.type = from.type();
  event.at = ToTime(from.at());
  if (!from.task_id().empty()) {
    if (auto id = TaskId::FromBytes(from.task_id()); id.ok()) event.task_id = *id;
  }
  event.namespace_name = from.namespace_();
  event.owner = from.owner();
  event.task_type = from.task_type();
  event.dispatch = from.dispatch();
  event.session_id = UuidText(from.session_id());
  event.details.insert(from.details().begin(), from.details().end());
}

}  // namespace

std::vector<Event> ToEvents(const google::protobuf::RepeatedPtrField<events::v1::Event>& events) {
  std::vector<Event> converted(static_cast<size_t>(events.size()));
  for (size_t i = 0; i < converted.size(); ++i) Fill(events[static_cast<int>(i)], converted[i]);
  return converted;
}

absl::Status ToProto(const EventFilter& filter, const std::string& namespace_name,
                     events::v1::EventFilter& proto) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", namespace_name));
  proto.set_namespace_(namespace_name);
  for (const std::string& type : filter.types) {
    KANTOKU_RETURN_IF_ERROR(CheckText("types", type));
    proto.add_types(type);
  }
  for (const TaskId id : filter.task_ids) {
    proto.add_task_ids(id.bytes().data(), TaskId::kSize);
  }
  return absl::OkStatus();
}

}  // namespace kantoku::internal
