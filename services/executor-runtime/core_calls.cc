// What comes to Core from Inputs, from Outputs and, at their end, from handlers.
#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/core.h"
#include "services/executor-runtime/result_limits.h"
#include "services/executor-runtime/text.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

// Results of inline handlers leave after so many, not only when a whole frame is done.
constexpr size_t kInlineBatch = 256;

// Whether trying again is no use.
bool IsFinalAnswer(const absl::Status& status, bool ever_welcomed) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return true;
    case absl::StatusCode::kUnimplemented:
      return !ever_welcomed;  // No Inputs lives there.
    case absl::StatusCode::kUnauthenticated: {
      const std::string why = platform::ReasonOf(status);
      return why == "TOKEN_REVOKED" || why == "BLOCKED";  // Else a newer token may come.
    }
    default:
      return false;
  }
}

}  // namespace

class Core::HandlerContext final : public Context {
 public:
  HandlerContext(Core& core, const HeldTaskPtr& task) : core_(core), task_(task) {}

  const platform::TaskId& task_id() const override { return task_->key.task; }
  uint32_t dispatch() const override { return task_->key.dispatch; }
  uint32_t attempt() const override { return task_->attempt; }
  const std::string& type() const override { return task_->type; }
  const std::string& payload() const override { return task_->payload; }
  const std::string& content_type() const override { return task_->content_type; }
  std::span<const TaskArgument> arguments() const override { return task_->arguments; }
  const platform::TaskId& root_id() const override { return task_->root; }
  const std::string& context_id() const override { return task_->context_id; }
  const Provenance& provenance() const override { return task_->provenance; }
  std::string task_token() const override { return core_.TaskToken(*task_); }
  absl::Duration time_left() const override { return core_.TimeLeft(*task_); }
  StopCause stop_cause() const override {
    return task_->stop_cause.load(std::memory_order_relaxed);
  }
  std::stop_token stop_token() override { return core_.StopToken(*task_); }
  bool PausePoint() override { return core_.PausePoint(task_); }
  void OnPause(std::function<void(bool)> hold) override { core_.OnPause(task_, std::move(hold)); }
  using Context::Yield;
  absl::Status Yield(std::string data, std::string_view content_type,
                     absl::Duration patience) override {
    return core_.Yield(task_, {std::move(data), std::string(content_type)}, patience);
  }
  const std::string& checkpoint() const override { return task_->checkpoint; }
  absl::Status Checkpoint(std::string data) override {
    return core_.Checkpoint(task_, std::move(data));
  }
  absl::Status AwaitCheckpoint() override { return core_.AwaitCheckpoint(*task_); }
  void Progress(double fraction, std::string_view message) override {
    core_.Report(task_, fraction, message);
  }
  void Log(LogLevel level, std::string_view message) override {
    core_.options_.log(
        level, absl::StrCat("task ", task_->key.task.ToString(), ": ", platform::ToAbsl(message)));
  }

 private:
  Core& core_;
  const HeldTaskPtr& task_;
};

void Core::OnFrame(PullStream& stream, inputs::v1::PullResponse& frame) {
  Actions actions;
  std::vector<HeldTaskPtr> run_inline;
  const absl::Duration now = Steady();
  std::string newer_token = frame.has_token_wanted() ? stream.NewerToken() : "";
  {
    platform::MutexLock lock(mu_);
    if (stream_.get() != &stream || stopping_) return;
    if (!newer_token.empty()) newer_token_ = std::move(newer_token);
    if (!welcomed_ && !ReadWelcome(frame, actions)) {
      GiveUpConnection(actions);
    } else {
      run_inline = ReadTasks(frame, now);
      ReadStarts(frame, now, run_inline);
      ReadReports(frame, now, actions);
      actions.wake_workers = std::min<size_t>(idle_workers_, ledger_->queued());
    }
    Collect(now, actions);
  }
  Perform(actions);
  RunAllInline(run_inline);
}

void Core::RunAllInline(std::span<const HeldTaskPtr> tasks) {
  while (!tasks.empty()) {
    const size_t count = std::min(tasks.size(), kInlineBatch);
    RunInline(tasks.first(count));
    tasks = tasks.subspan(count);
  }
}

bool Core::ReadWelcome(inputs::v1::PullResponse& frame, Actions& actions) {
  if (!frame.has_welcome() || !ledger_->OnWelcome(*frame.mutable_welcome())) {
    actions.lines.emplace_back(LogLevel::kError, "inputs did not answer hello as it should");
    return false;
  }
  welcomed_ = true;
  ever_welcomed_ = true;
  lost_ = false;
  inputs_failed_ = false;
  welcome_by_ = absl::InfiniteDuration();
  liveness_.OnWelcome(platform::FromProto(frame.welcome().ping_interval()),
                      platform::FromProto(frame.welcome().grace()));
  actions.lines.emplace_back(LogLevel::kInfo,
                             absl::StrCat("connected as session ", options_.session.ToString()));
  return true;
}

std::vector<HeldTaskPtr> Core::ReadTasks(inputs::v1::PullResponse& frame, absl::Duration now) {
  std::vector<HeldTaskPtr> run_inline;
  busy_ = busy_ || frame.tasks_size() > 0;
  for (inputs::v1::Dispatch& dispatch : *frame.mutable_tasks()) {
    const auto handler = handlers_.find(dispatch.type());
    const Registration* registration = handler == handlers_.end() ? nullptr : &handler->second;
    HeldTaskPtr task = ledger_->Receive(dispatch, registration, now);
    if (task != nullptr) run_inline.push_back(std::move(task));
  }
  return run_inline;
}

void Core::ReadStarts(const inputs::v1::PullResponse& frame, absl::Duration now,
                      std::vector<HeldTaskPtr>& run_inline) {
  for (const auto& start : frame.starts_confirmed()) {
    HeldTaskPtr task = ledger_->OnStartConfirmed(start.task_id(), start.dispatch(), now);
    if (task != nullptr) run_inline.push_back(std::move(task));
  }
}

void Core::ReadReports(inputs::v1::PullResponse& frame, absl::Duration now, Actions& actions) {
  for (const auto& settled : frame.confirmed()) {
    ledger_->OnSettled(settled.task_id(), settled.dispatch());
  }
  for (const auto& refused : frame.refused()) {
    const std::string& reason = refused.status().reason();
    if (!ledger_->OnRefused(refused.task_id(), refused.dispatch(), reason)) continue;
    actions.lines.emplace_back(LogLevel::kWarn, absl::StrCat("inputs refused a report: ", reason,
                                                             ": ", refused.status().message()));
  }
  for (const auto& checkpoint : frame.checkpoints_confirmed()) ReadCheckpoint(checkpoint, actions);
  for (const auto& control : frame.controls()) ledger_->OnControl(control, now);
  for (auto& renewal : *frame.mutable_renewals()) ledger_->OnRenewal(renewal);
  if (frame.has_executor_control()) ReadExecutorControl(frame.executor_control(), actions);
  if (frame.has_drain()) actions.lines.emplace_back(LogLevel::kInfo, "inputs is about to stop");
  if (frame.has_ping()) pong_ = frame.ping().number();
  if (frame.has_pong()) {
    liveness_.OnPong(frame.pong().number());
    // Only now: a server that welcomes and breaks off must not be asked in a circle.
    reconnect_.Reset();
  }
}

void Core::ReadCheckpoint(const inputs::v1::CheckpointConfirmed& answer, Actions& actions) {
  ledger_->OnCheckpoint(answer);
  const auto& status = answer.status();
  if (status.code() == 0) return;
  actions.lines.emplace_back(
      LogLevel::kWarn,
      absl::StrCat("inputs did not take a checkpoint: ", status.reason(), ": ", status.message()));
}

// What an operator asks of us. A verb that is not known here changes nothing: Inputs gives us no
// more tasks anyway.
void Core::ReadExecutorControl(const inputs::v1::ExecutorControl& control, Actions& actions) {
  const absl::Duration now = Steady();
  switch (control.verb()) {
    case inputs::v1::EXECUTOR_VERB_DRAIN:
      actions.lines.emplace_back(LogLevel::kInfo, "inputs asks for a drain");
      if (ending_ != Ending::kNo) return;
      ending_ = Ending::kFinishing;
      ending_until_ = now + options_.drain_limit;
      return;
    case inputs::v1::EXECUTOR_VERB_KICK:
      actions.lines.emplace_back(LogLevel::kWarn, "inputs asks to end at once");
      if (ending_ >= Ending::kStopping) return;
      ledger_->Drain();  // First: a worker that comes back must find nothing to begin.
      ledger_->StopHandlers(StopCause::kDraining);
      ending_ = Ending::kStopping;
      ending_until_ = now + options_.stop_patience;
      return;
    case inputs::v1::EXECUTOR_VERB_BOUNCE:
      bounce_until_ = now + platform::FromProto(control.delay());
      actions.lines.emplace_back(LogLevel::kInfo,
                                 absl::StrCat("inputs asks to connect again after ",
                                              absl::FormatDuration(bounce_until_ - now)));
      GiveUpConnection(actions);
      return;
    default:
      actions.lines.emplace_back(LogLevel::kWarn, "inputs asks for something that is unknown here");
  }
}

void Core::OnWritten(PullStream& stream) {
  Actions actions;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    if (stream_.get() != &stream) return;
    writing_ = false;
    if (stopping_) return run_wakes_.SignalAll();
    Collect(now, actions);
  }
  Perform(actions);
}

void Core::OnBroken(PullStream& stream) {
  platform::MutexLock lock(mu_);
  if (stream_.get() == &stream) stream_ = nullptr;
}

void Core::OnClosed(PullStream&, const absl::Status& status) {
  LogLevel level = LogLevel::kWarn;
  {
    platform::MutexLock lock(mu_);
    connected_ = false;
    welcomed_ = false;
    writing_ = false;
    welcome_by_ = absl::InfiniteDuration();
    pong_.reset();
    newer_token_.clear();
    liveness_.OnDisconnected();
    if (std::exchange(inputs_failed_, true)) level = LogLevel::kDebug;
    connect_at_ = std::max(bounce_until_, Steady() + reconnect_.Next(options_.random()));
    if (IsFinalAnswer(status, ever_welcomed_)) {
      verdict_ = platform::Annotate(status, "inputs at " + options_.inputs_address);
    }
    run_wakes_at_ = -absl::InfiniteDuration();
    run_wakes_.SignalAll();
  }
  if (status.code() != absl::StatusCode::kCancelled && !status.ok()) {
    options_.log(level, absl::StrCat("connection to inputs at ", options_.inputs_address, ": ",
                                     status.ToString()));
  }
  CallEnded();
}

void Core::OnPutDone(const absl::Status& status) {
  Actions actions;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    put_context_ = nullptr;
    puts_->OnAnswer(status, put_request_, put_response_, now);
    if (!stopping_ && !status.ok()) {
      const bool again = std::exchange(outputs_failed_, true);
      actions.lines.emplace_back(
          again ? LogLevel::kDebug : LogLevel::kWarn,
          absl::StrCat("outputs at ", options_.outputs_address, " did not take ",
                       put_request_.items_size(), " results yet: ", status.message()));
    } else if (std::exchange(outputs_failed_, false)) {
      actions.lines.emplace_back(LogLevel::kInfo, "outputs takes results again");
    }
    if (!stopping_) Collect(now, actions);
  }
  Perform(actions);
  CallEnded();
}

void Core::OnPutItemsDone(const absl::Status& status) {
  Actions actions;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    put_items_context_ = nullptr;
    items_->OnAnswer(status, put_items_request_, put_items_response_, now);
    if (!stopping_ && !status.ok()) {
      const bool again = std::exchange(outputs_failed_, true);
      actions.lines.emplace_back(again ? LogLevel::kDebug : LogLevel::kWarn,
                                 absl::StrCat("outputs at ", options_.outputs_address,
                                              " did not take items yet: ", status.message()));
    } else if (std::exchange(outputs_failed_, false)) {
      actions.lines.emplace_back(LogLevel::kInfo, "outputs takes items again");
    }
    if (!stopping_) Collect(now, actions);
  }
  Perform(actions);
  CallEnded();
}

void Core::OnGetDone(const absl::Status& status) {
  Actions actions;
  std::vector<HeldTaskPtr> run_inline;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    get_context_ = nullptr;
    const auto complete = arguments_->OnAnswer(status, get_response_, now);
    get_response_.Clear();
    for (const HeldTaskPtr& task : complete) {
      HeldTaskPtr runs = stopping_ ? nullptr : ledger_->OnArguments(task, now);
      if (runs != nullptr) run_inline.push_back(std::move(runs));
    }
    if (!stopping_ && !status.ok()) {
      const bool again = std::exchange(outputs_failed_, true);
      actions.lines.emplace_back(again ? LogLevel::kDebug : LogLevel::kWarn,
                                 absl::StrCat("outputs at ", options_.outputs_address,
                                              " did not give arguments yet: ", status.message()));
    } else if (std::exchange(outputs_failed_, false)) {
      actions.lines.emplace_back(LogLevel::kInfo, "outputs gives arguments again");
    }
    actions.wake_workers = std::min<size_t>(idle_workers_, ledger_->queued());
    if (!stopping_) Collect(now, actions);
  }
  Perform(actions);
  if (!run_inline.empty()) RunAllInline(run_inline);
  CallEnded();
}

// The last thing a call does here: afterwards we may be gone.
void Core::CallEnded() {
  platform::MutexLock lock(mu_);
  if (--calls_ == 0) calls_end_.SignalAll();
}

void Core::Work() {
  HeldTaskPtr task;
  absl::StatusOr<Result> result = Result();
  while (true) {
    Actions actions;
    const absl::Duration now = Steady();
    {
      platform::MutexLock lock(mu_);
      if (task != nullptr) End(task, std::exchange(result, Result()), now);
      task = stopping_ ? nullptr : ledger_->Begin(now);
      if (!stopping_) Collect(now, actions);
      if (task == nullptr && stopping_) return;
      if (task == nullptr && actions.empty() && !actions.wake_run) {
        ++idle_workers_;
        work_waits_.Wait(mu_);
        --idle_workers_;
        continue;
      }
    }
    Perform(actions);
    if (task != nullptr && task->confirm_start && !AwaitStart(*task)) task = nullptr;
    if (task == nullptr) continue;
    result = RunHandler(task);
    if (!result.ok()) AwaitItems(task, result.status());
  }
}

bool Core::AwaitStart(const HeldTask& task) {
  platform::MutexLock lock(mu_);
  while (!stopping_ && !task.dropped && task.phase == Phase::kStarting) start_waits_.Wait(mu_);
  return !task.dropped && task.phase == Phase::kRunning;
}

void Core::End(const HeldTaskPtr& task, absl::StatusOr<Result> result, absl::Duration now) {
  if (ledger_->End(task, now, result)) {
    items_->Finish(task, *std::move(result));
  } else {
    items_->Drop(*task);
  }
}

void Core::RunInline(std::span<const HeldTaskPtr> tasks) {
  std::vector<absl::StatusOr<Result>> results;
  results.reserve(tasks.size());
  for (const HeldTaskPtr& task : tasks) results.push_back(RunHandler(task));
  Actions actions;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    for (size_t i = 0; i < tasks.size(); ++i) {
      End(tasks[i], std::move(results[i]), now);
    }
    if (!stopping_) Collect(now, actions);
  }
  Perform(actions);
}

absl::StatusOr<Result> Core::RunHandler(const HeldTaskPtr& task) {
  HandlerContext context(*this, task);
  if (journal_ != nullptr) journal_->Start(task->key);
  absl::StatusOr<Result> result = Result();
  try {
    result = task->registration->handler(context);
  } catch (const std::exception& error) {
    result = platform::Error(absl::StatusCode::kInternal, "HANDLER_THREW", error.what());
  } catch (...) {
    result = platform::Error(absl::StatusCode::kInternal, "HANDLER_THREW", "not an exception");
  }
  Unhold(*task);
  if (journal_ != nullptr) journal_->End(task->key);
  return result;
}

}  // namespace kantoku::executor
