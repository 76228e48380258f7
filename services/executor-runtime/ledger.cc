#include "services/executor-runtime/ledger.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "services/executor-runtime/result_limits.h"
#include "services/executor-runtime/text.h"
#include "services/platform/check.h"
#include "services/platform/planted.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;

constexpr size_t kMaxReason = 63;
constexpr size_t kMaxMessage = 4096;

// A stop may become more pressing, never less; among equals the first cause counts.
int Weight(StopCause cause) {
  switch (cause) {
    case StopCause::kNone:
      return 0;
    case StopCause::kInterrupted:
      return 2;
    case StopCause::kLost:
      return 3;
    case StopCause::kRevoked:
      return 4;
    default:
      return 1;
  }
}

HandBack Returned(std::string reason, std::string message) {
  return {inputspb::NACK_KIND_RETURNED, std::move(reason), std::move(message)};
}

HandBack OfFailure(const absl::Status& status) {
  std::string reason = platform::ReasonOf(status);
  if (reason.empty()) reason = "HANDLER_FAILED";
  return {IsFinal(status) ? inputspb::NACK_KIND_FAILED_FINALLY : inputspb::NACK_KIND_FAILED,
          std::move(reason), std::string(platform::ToStd(status.message()))};
}

// What the handler would have read.
void Forget(HeldTask& task) {
  task.payload = {};
  task.arguments = {};
  task.grants = {};
}

// Why a result cannot be sent; OK when it can.
absl::Status Sendable(const Result& result) {
  if (result.data.size() > kMaxResultBytes) {
    return FailFinally("RESULT_TOO_LARGE", "result has " + std::to_string(result.data.size()) +
                                               " bytes, the limit is " +
                                               std::to_string(kMaxResultBytes));
  }
  if (result.content_type.size() > kMaxContentTypeBytes || !IsUtf8(result.content_type)) {
    return FailFinally(
        "BAD_CONTENT_TYPE",
        "content type is not at most " + std::to_string(kMaxContentTypeBytes) + " bytes of UTF-8");
  }
  return absl::OkStatus();
}

Provenance ReadProvenance(const kantoku::task::v1::Provenance& proto) {
  Provenance provenance{.user = proto.user(),
                        .app = proto.app(),
                        .spawner_app = proto.spawner_app(),
                        .spawner_executor_owner = proto.spawner_executor_owner()};
  for (const std::string& bytes : proto.ancestors()) {
    const auto id = platform::TaskId::FromBytes(bytes);
    if (id.ok()) provenance.ancestors.push_back(*id);
  }
  return provenance;
}

}  // namespace

HeldTaskPtr Ledger::Receive(inputspb::Dispatch& dispatch, const Registration* registration,
                            absl::Duration now) {
  const auto id = platform::TaskId::FromBytes(dispatch.task_id());
  if (!id.ok() || Find(dispatch.task_id(), dispatch.dispatch()) != nullptr) return nullptr;
  auto task = std::make_shared<HeldTask>();
  task->key = {*id, dispatch.dispatch()};
  task->attempt = dispatch.attempt();
  task->registration = registration;
  task->type.swap(*dispatch.mutable_type());
  task->payload.swap(*dispatch.mutable_payload());
  task->content_type.swap(*dispatch.mutable_content_type());
  task->checkpoint.swap(*dispatch.mutable_checkpoint());
  task->lease_token.swap(*dispatch.mutable_lease_token());
  task->provenance = ReadProvenance(dispatch.provenance());
  const absl::Duration timeout = platform::FromProto(dispatch.timeout());
  if (timeout > absl::ZeroDuration()) task->timeout = timeout;
  task->confirm_start = dispatch.confirm_start();
  task->root = *id;
  task->context_id = dispatch.context_id();
  if (!dispatch.root_id().empty()) {
    const auto root = platform::TaskId::FromBytes(dispatch.root_id());
    if (root.ok()) task->root = *root;
  }
  task->pause_wanted = dispatch.pause();

  const bool exceeds = working_ >= max_held_ || tasks_.size() >= size_t{max_held_} * 8 + 1024;
  tasks_.emplace(task->key, task);
  ++working_;
  const bool fits = registration != nullptr && !draining_ && !exceeds;
  if (fits && dispatch.arguments_size() > 0) {
    StartFetching(task, dispatch);
    return nullptr;
  }
  if (fits) return Enqueue(task, now);
  queue_.push_back(task);
  if (draining_) {
    Return(task, Returned("DRAINING", "the executor stops"));
  } else if (exceeds) {
    Return(task, Returned("OVER_CREDIT", "more tasks than max_held = " + std::to_string(max_held_) +
                                             " were sent"));
  } else if (registration == nullptr) {
    Return(task, Returned("NO_HANDLER", "no handler for type " + task->type));
  }
  return nullptr;
}

HeldTaskPtr Ledger::Enqueue(const HeldTaskPtr& task, absl::Duration now) {
  task->phase = Phase::kQueued;
  if (!task->registration->run_inline) {
    queue_.push_back(task);
    return nullptr;
  }
  if (task->confirm_start) {
    AskToStart(task);
    return nullptr;
  }
  MarkRunning(task, now);
  return task;
}

void Ledger::StartFetching(const HeldTaskPtr& task, inputspb::Dispatch& dispatch) {
  task->phase = Phase::kFetching;
  for (inputspb::Argument& argument : *dispatch.mutable_arguments()) {
    const auto id = platform::TaskId::FromBytes(argument.task_id());
    task->arguments.emplace_back().task_id = id.ok() ? *id : platform::TaskId();
    task->grants.push_back(std::move(*argument.mutable_read_grant()));
  }
  task->arguments_missing = task->arguments.size();
  fetches_.push_back(task);
}

HeldTaskPtr Ledger::OnArguments(const HeldTaskPtr& task, absl::Duration now) {
  if (task->dropped || task->phase != Phase::kFetching) return nullptr;
  task->grants = {};
  return Enqueue(task, now);
}

void Ledger::ReturnFetch(const HeldTaskPtr& task, const HandBack& how) {
  if (!task->dropped && task->phase == Phase::kFetching) Return(task, how);
}

HeldTaskPtr Ledger::OnStartConfirmed(std::string_view task_id, uint32_t dispatch,
                                     absl::Duration now) {
  HeldTaskPtr task = Find(task_id, dispatch);
  if (task == nullptr || task->phase != Phase::kStarting) return nullptr;
  task->start_reported = true;
  starts_decided_ = true;
  MarkRunning(task, now);
  return task->registration->run_inline ? std::move(task) : nullptr;
}

void Ledger::OnSettled(std::string_view task_id, uint32_t dispatch) {
  const HeldTaskPtr task = Find(task_id, dispatch);
  if (task != nullptr && !IsWork(task->phase)) Drop(task);
}

bool Ledger::OnRefused(std::string_view task_id, uint32_t dispatch, std::string_view reason) {
  const HeldTaskPtr task = Find(task_id, dispatch);
  if (task == nullptr) return false;
  // With any other reason it is only the report that is not accepted.
  if (reason == "NOT_HELD" || reason == "STALE_DISPATCH" || reason == "INVALID_RECEIPT") Drop(task);
  return true;
}

void Ledger::OnControl(const inputspb::HandlerControl& control, absl::Duration now) {
  const HeldTaskPtr task = Find(control.task_id(), control.dispatch());
  if (task == nullptr) return;
  switch (control.action()) {
    case inputspb::HANDLER_ACTION_REVOKE:
      return Drop(task);
    case inputspb::HANDLER_ACTION_CANCEL:
      return OnStopControl(task, StopCause::kCancelled);
    case inputspb::HANDLER_ACTION_INTERRUPT:
      return OnStopControl(task, StopCause::kInterrupted);
    case inputspb::HANDLER_ACTION_PAUSE:
    case inputspb::HANDLER_ACTION_RESUME:
    case inputspb::HANDLER_ACTION_STEP:
      return OnPauseControl(task, control, now);
    default:
      return;
  }
}

void Ledger::OnStopControl(const HeldTaskPtr& task, StopCause cause) {
  if (task->phase == Phase::kFetching || task->phase == Phase::kQueued ||
      task->phase == Phase::kStarting) {
    Return(task, {inputspb::NACK_KIND_CANCELLED, "CANCELLED", "cancelled before it began"});
  } else if (task->phase == Phase::kRunning) {
    task->cancelled = true;
    Stop(*task, cause);
  }
}

// Whatever was told before counts no more. What is told again is said again.
void Ledger::OnPauseControl(const HeldTaskPtr& task, const inputspb::HandlerControl& control,
                            absl::Duration now) {
  const bool waits = task->phase == Phase::kFetching || task->phase == Phase::kQueued;
  if (waits && control.action() == inputspb::HANDLER_ACTION_PAUSE) {
    return Return(task, Returned("PAUSED", "paused before it began"));
  }
  const bool pausable = waits || task->phase == Phase::kStarting || task->phase == Phase::kRunning;
  if (!pausable) return;
  task->control_number = control.number();
  task->pause_wanted = control.action() != inputspb::HANDLER_ACTION_RESUME;
  if (task->can_hold) {
    holds_.push_back(task);  // Which has no points to step to.
  } else if (!task->paused) {
    if (!task->pause_wanted || KANTOKU_PLANTED("pause said before its point")) SayState(task);
  } else if (control.action() == inputspb::HANDLER_ACTION_PAUSE) {
    SayState(task);
  } else {
    SetPaused(task, false, now);
    if (!task->pause_wanted) SayState(task);
  }
}

bool Ledger::ReachPausePoint(const HeldTaskPtr& task, absl::Duration now) {
  if (!task->pause_wanted || task->can_hold || task->registration->run_inline || task->dropped ||
      task->phase != Phase::kRunning || task->stop_cause.load() != StopCause::kNone) {
    return false;
  }
  if (draining_) {
    Stop(*task, StopCause::kDraining);
    return false;
  }
  SetPaused(task, true, now);
  SayState(task);
  return true;
}

void Ledger::SetCanHold(const HeldTaskPtr& task, bool can_hold) {
  task->can_hold = can_hold;
  if (can_hold && task->pause_wanted) holds_.push_back(task);
}

void Ledger::OnHeld(const HeldTaskPtr& task, bool held, absl::Duration now) {
  if (task->dropped || task->phase != Phase::kRunning ||
      task->stop_cause.load() != StopCause::kNone) {
    return;
  }
  SetPaused(task, held, now);
  SayState(task);
}

void Ledger::SetPaused(const HeldTaskPtr& task, bool paused, absl::Duration now) {
  if (task->paused == paused) return;
  if (paused) {
    task->time_left = task->deadline - now;
    task->deadline = absl::InfiniteDuration();
  } else {
    task->deadline = now + task->time_left;
    next_time_ = std::min(next_time_, task->deadline);
    pauses_decided_ = true;
  }
  task->paused = paused;
}

void Ledger::SayState(const HeldTaskPtr& task) {
  if (!std::exchange(task->state_pending, true)) states_.push_back(task);
}

void Ledger::OnRenewal(inputspb::LeaseRenewal& renewal) {
  const HeldTaskPtr task = Find(renewal.task_id(), renewal.dispatch());
  if (task == nullptr) return;
  task->lease_token.swap(*renewal.mutable_lease_token());
}

HeldTaskPtr Ledger::Begin(absl::Duration now) {
  while (!queue_.empty()) {
    HeldTaskPtr task = std::move(queue_.front());
    queue_.pop_front();
    if (task->dropped || task->phase != Phase::kQueued) {
      --stale_in_queue_;
      continue;
    }
    if (task->confirm_start && !KANTOKU_PLANTED("start of ONCE not waited for")) {
      AskToStart(task);
    } else {
      MarkRunning(task, now);
    }
    return task;
  }
  return nullptr;
}

bool Ledger::End(const HeldTaskPtr& task, absl::Duration now,
                 const absl::StatusOr<Result>& result) {
  // What was abandoned has another phase; what was taken away is dropped.
  if (task->dropped || task->phase != Phase::kRunning) return false;
  task->payload = {};
  task->arguments = {};
  if (!task->failure.has_value()) task->failure = Judge(*task, now, result);
  if (task->failure.has_value()) {
    Return(task, *task->failure);
    return false;
  }
  LeaveWork(task);
  task->phase = Phase::kPutting;
  ++working_;
  return true;
}

void Ledger::Fail(const HeldTaskPtr& task, absl::Duration now, const absl::Status& failure) {
  task->failure = Judge(*task, now, failure);
}

std::optional<HandBack> Ledger::Judge(const HeldTask& task, absl::Duration now,
                                      const absl::StatusOr<Result>& result) {
  const StopCause cause = task.stop_cause.load(std::memory_order_relaxed);
  const absl::Status status = result.ok() ? Sendable(*result) : result.status();
  if (task.cancelled && !status.ok()) {
    return HandBack{inputspb::NACK_KIND_CANCELLED, "CANCELLED",
                    std::string(platform::ToStd(status.message()))};
  }
  if (task.timed_out || now >= task.deadline) {
    return HandBack{inputspb::NACK_KIND_FAILED, "TIMEOUT",
                    "the attempt took longer than " + absl::FormatDuration(task.timeout)};
  }
  if (status.ok()) return std::nullopt;
  if (cause == StopCause::kLost) return Returned("LOST", "stopped because Inputs was not heard");
  if (cause == StopCause::kDraining) {
    return Returned("DRAINING", "stopped because the executor stops");
  }
  return OfFailure(status);
}

void Ledger::Report(const HeldTaskPtr& task, double fraction, std::string_view message) {
  if (task->dropped || task->phase != Phase::kRunning || std::isnan(fraction)) return;
  // The sum turns a negative zero into a positive one.
  task->progress = std::clamp(fraction, 0.0, 1.0) + 0.0;
  task->progress_message = CutUtf8(message, kMaxMessage);
  if (!std::exchange(task->progress_pending, true)) progress_.push_back(task);
}

std::stop_token Ledger::StopToken(HeldTask& task) {
  if (!task.stop_source.has_value()) {
    task.stop_source.emplace();
    // Nobody listens yet, so that this calls nothing back.
    if (task.stop_cause.load() != StopCause::kNone) task.stop_source->request_stop();
  }
  return task.stop_source->get_token();
}

void Ledger::OnReceipt(const HeldTaskPtr& task, std::string receipt) {
  if (task->dropped || task->phase != Phase::kPutting) return;
  LeaveWork(task);
  task->phase = Phase::kAcking;
  task->receipt = std::move(receipt);
  acks_.push_back(task);
}

void Ledger::ReturnPut(const HeldTaskPtr& task, const HandBack& how) {
  if (!task->dropped && task->phase == Phase::kPutting) Return(task, how);
}

void Ledger::ReturnItems(const HeldTaskPtr& task, const HandBack& how) {
  if (task->dropped || (task->phase != Phase::kRunning && task->phase != Phase::kPutting)) return;
  if (task->phase == Phase::kRunning) Stop(*task, StopCause::kRevoked);
  // How it has failed by itself is known already.
  Return(task, task->failure.value_or(how));
}

void Ledger::OnTime(absl::Duration now) {
  if (now < next_time_) return;
  next_time_ = absl::InfiniteDuration();
  while (!unreported_.empty()) {
    const HeldTaskPtr& task = unreported_.front();
    const bool over = task->dropped || task->start_reported || !IsWork(task->phase);
    if (!over && task->begun + kStartReportDelay > now) {
      next_time_ = task->begun + kStartReportDelay;
      break;
    }
    if (!over) starts_.push_back(task);
    unreported_.pop_front();
  }
  for (const HeldTaskPtr& task : running_) {
    if (task->timed_out) continue;
    if (now < task->deadline) {
      next_time_ = std::min(next_time_, task->deadline);
    } else {
      task->timed_out = true;
      Stop(*task, StopCause::kTimeout);
    }
  }
}

void Ledger::Drain() {
  if (std::exchange(draining_, true)) return;
  credit_pending_ = true;
  for (const HeldTaskPtr& task : Queued()) {
    Return(task, Returned("DRAINING", "the executor stops"));
  }
  for (const HeldTaskPtr& task : In(Phase::kFetching)) {
    Return(task, Returned("DRAINING", "the executor stops"));
  }
  for (const HeldTaskPtr& task : running_) {
    if (task->paused) Stop(*task, StopCause::kDraining);  // It would never finish.
  }
}

void Ledger::StopHandlers(StopCause cause) {
  for (const HeldTaskPtr& task : running_) Stop(*task, cause);
}

void Ledger::OnLost() {
  if (KANTOKU_PLANTED("handlers go on past the grace")) return;
  StopHandlers(StopCause::kLost);
  for (const HeldTaskPtr& task : Queued()) Drop(task);
  for (const HeldTaskPtr& task : In(Phase::kFetching)) Drop(task);
  for (const HeldTaskPtr& task : In(Phase::kStarting)) Drop(task);
}

void Ledger::Abandon() {
  for (const HeldTaskPtr& task : std::vector<HeldTaskPtr>(running_)) {
    Stop(*task, StopCause::kRevoked);
    Return(task, Returned("DRAINING", "the executor stops and its handler does not"));
  }
  for (const HeldTaskPtr& task : In(Phase::kStarting)) {
    Return(task, Returned("DRAINING", "the executor stops and its start was not confirmed"));
  }
  for (const HeldTaskPtr& task : InOrder()) {
    if (task->phase != Phase::kPutting) continue;
    Return(task, Returned("DRAINING", "the executor stops and outputs did not take the result"));
  }
}

HeldTaskPtr Ledger::Find(std::string_view task_id, uint32_t dispatch) const {
  const auto id = platform::TaskId::FromBytes(task_id);
  if (!id.ok()) return nullptr;
  const auto found = tasks_.find(DispatchKey{*id, dispatch});
  return found == tasks_.end() ? nullptr : found->second;
}

void Ledger::MarkRunning(const HeldTaskPtr& task, absl::Duration now) {
  task->phase = Phase::kRunning;
  task->has_begun = true;
  task->begun = now;
  task->deadline = now + task->timeout;
  next_time_ = std::min({next_time_, now + kStartReportDelay, task->deadline});
  task->running_index = running_.size();
  running_.push_back(task);
  unreported_.push_back(task);
}

void Ledger::AskToStart(const HeldTaskPtr& task) {
  task->phase = Phase::kStarting;
  starts_.push_back(task);
}

void Ledger::LeaveWork(const HeldTaskPtr& task) {
  if (!IsWork(task->phase)) return;
  --working_;
  if (task->phase == Phase::kStarting) starts_decided_ = true;
  if (task->phase == Phase::kQueued) ++stale_in_queue_;
  if (task->phase == Phase::kRunning) {
    KANTOKU_CHECK(running_[task->running_index] == task);
    running_.back()->running_index = task->running_index;
    running_[task->running_index] = running_.back();
    running_.pop_back();
  }
}

void Ledger::Stop(HeldTask& task, StopCause cause) {
  if (Weight(task.stop_cause.load()) >= Weight(cause)) return;
  task.stop_cause.store(cause);
  pauses_decided_ = pauses_decided_ || task.paused;
  handlers_to_wake_ = true;
  if (task.stop_source.has_value()) stopped_.push_back(*task.stop_source);
}

void Ledger::Drop(const HeldTaskPtr& task) {
  if (task->phase == Phase::kRunning) Stop(*task, StopCause::kRevoked);
  // A handler that runs still reads payload and arguments.
  if (!task->has_begun) Forget(*task);
  LeaveWork(task);
  task->dropped = true;
  tasks_.erase(task->key);
  CompactQueue();
}

void Ledger::Return(const HeldTaskPtr& task, const HandBack& how) {
  if (!task->has_begun) Forget(*task);
  LeaveWork(task);
  task->phase = Phase::kReturning;
  task->hand_back = {how.kind, CutUtf8(how.reason, kMaxReason), CutUtf8(how.message, kMaxMessage)};
  nacks_.push_back(task);
  CompactQueue();
}

void Ledger::CompactQueue() {
  if (stale_in_queue_ <= max_held_) return;
  std::erase_if(queue_, [](const HeldTaskPtr& task) {
    return task->dropped || task->phase != Phase::kQueued;
  });
  stale_in_queue_ = 0;
}

std::vector<HeldTaskPtr> Ledger::Queued() const {
  std::vector<HeldTaskPtr> queued;
  for (const HeldTaskPtr& task : queue_) {
    if (!task->dropped && task->phase == Phase::kQueued) queued.push_back(task);
  }
  return queued;
}

std::vector<HeldTaskPtr> Ledger::In(Phase phase) const {
  std::vector<HeldTaskPtr> tasks = InOrder();
  std::erase_if(tasks, [phase](const HeldTaskPtr& task) { return task->phase != phase; });
  return tasks;
}

std::vector<HeldTaskPtr> Ledger::InOrder() const {
  std::vector<HeldTaskPtr> tasks;
  tasks.reserve(tasks_.size());
  for (const auto& [key, task] : tasks_) tasks.push_back(task);
  std::ranges::sort(tasks, {}, [](const HeldTaskPtr& task) {
    return std::pair(task->key.task, task->key.dispatch);
  });
  return tasks;
}

}  // namespace kantoku::executor
