#include "client/cpp/src/fake_server.h"

#include <algorithm>
#include <cmath>
#include <exception>

#include "absl/algorithm/container.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/src/fake_lists.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

constexpr uint32_t kDefaultAttempts = 3;
constexpr uint32_t kDefaultPageSize = 100;
constexpr char kFinalPayload[] = "kantoku.fake/final";

absl::Status Unknown(const TaskId& id) {
  return platform::Error(absl::StatusCode::kNotFound, "UNKNOWN_TASK",
                         absl::StrCat("task ", id.ToString(), " is unknown"));
}

absl::Duration PauseAfterFailure(const RetryPolicy& policy, uint32_t failures) {
  const absl::Duration first = policy.initial_backoff.value_or(absl::Seconds(1));
  const absl::Duration longest = policy.max_backoff.value_or(absl::Seconds(60));
  return std::min(longest, first * std::pow(policy.multiplier.value_or(2.0), failures - 1));
}

bool IsFinal(const absl::Status& failure) { return failure.GetPayload(kFinalPayload).has_value(); }

TaskError ErrorOf(const absl::Status& failure) {
  std::string reason = platform::ReasonOf(failure);
  if (reason.empty()) reason = "HANDLER_FAILED";
  return {.reason = std::move(reason), .message = std::string(platform::ToStd(failure.message()))};
}

absl::StatusOr<std::string> Run(const FakeKantoku::Generator& handler, const TaskSpec& spec,
                                const FakeKantoku::Yield& yield) {
  try {
    return handler(spec, yield);
  } catch (const std::exception& error) {
    return platform::Error(absl::StatusCode::kInternal, "HANDLER_THREW", error.what());
  } catch (...) {
    return platform::Error(absl::StatusCode::kInternal, "HANDLER_THREW", "not an exception");
  }
}

TaskState StateOf(OutputStatus status) {
  switch (status) {
    case OutputStatus::kSucceeded:
      return TaskState::kSucceeded;
    case OutputStatus::kFailed:
      return TaskState::kFailed;
    case OutputStatus::kCancelled:
      return TaskState::kCancelled;
  }
  return TaskState::kUnknown;
}

void Tell(std::vector<std::pair<Connection::AwaitDone, absl::StatusOr<Output>>>&& answers) {
  for (auto& [done, output] : answers) done(std::move(output));
}

}  // namespace

void FakeKantoku::Server::Handle(const std::string& type, Generator generator) {
  {
    platform::MutexLock lock(mutex_);
    handlers_[type] = std::move(generator);
  }
  RunDue();
}

void FakeKantoku::Server::SetPaused(bool paused) {
  {
    platform::MutexLock lock(mutex_);
    paused_ = paused;
  }
  RunDue();
}

void FakeKantoku::Server::AdvanceTime(absl::Duration by) {
  Answers expired;
  {
    platform::MutexLock lock(mutex_);
    now_ += by;
  }
  RunDue();
  {
    platform::MutexLock lock(mutex_);
    const absl::Time now = now_;
    for (const auto& record : records_) {
      std::erase_if(record->waiters, [&](Waiter& waiter) {
        if (waiter.deadline > now) return false;
        expired.emplace_back(std::move(waiter.done),
                             platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                                             absl::StrCat("task ", record->info.id.ToString(),
                                                          " has not ended in time")));
        return true;
      });
    }
  }
  Tell(std::move(expired));
}

void FakeKantoku::Server::FailNextSpawn(absl::Status status) {
  platform::MutexLock lock(mutex_);
  spawn_failures_.push_back(std::move(status));
}

std::vector<TaskSpec> FakeKantoku::Server::spawned() {
  platform::MutexLock lock(mutex_);
  std::vector<TaskSpec> specs;
  for (const auto& record : records_) specs.push_back(record->spec);
  return specs;
}

void FakeKantoku::Server::Spawn(SpawnRequest request, SpawnDone done) {
  std::vector<absl::StatusOr<SpawnedTask>> results;
  Answers answers;
  {
    platform::MutexLock lock(mutex_);
    absl::Status failure;
    if (!spawn_failures_.empty()) {
      failure = std::move(spawn_failures_.front());
      spawn_failures_.pop_front();
    }
    if (failure.ok()) {
      results = AcceptAll(request.namespace_name, std::move(request.specs));
      GiveUpBlocked(answers);
    } else {
      results.assign(request.specs.size(), failure);
    }
  }
  Tell(std::move(answers));
  done(std::move(results));
  RunDue();
}

void FakeKantoku::Server::Await(AwaitRequest request, AwaitDone done) {
  absl::StatusOr<Output> output = Unknown(request.id);
  {
    platform::MutexLock lock(mutex_);
    if (Record* record = Find(request.id); record != nullptr) {
      if (!record->output.has_value()) {
        record->waiters.push_back({std::move(done), now_ + request.timeout});
        return;
      }
      output = *record->output;
    }
  }
  done(std::move(output));
}

void FakeKantoku::Server::Control(ControlRequest request, ControlDone done) {
  std::vector<absl::StatusOr<TaskState>> results;
  Answers answers;
  {
    platform::MutexLock lock(mutex_);
    for (const TaskId& id : request.ids) {
      Record* const record = Find(id);
      results.push_back(record == nullptr ? absl::StatusOr<TaskState>(Unknown(id))
                                          : Control(*record, request.verb, answers));
      if (!request.options.tree) continue;
      if (request.verb != ControlVerb::kStep) tree_marks_[id] = request.verb;
      for (const auto& other : records_) {
        if (other.get() == record || other->info.root != id || other->output.has_value()) continue;
        (void)Control(*other, request.verb, answers);
        if (!results.back().ok()) results.back() = TaskState::kSettling;  // The tree lives.
      }
    }
  }
  {
    platform::MutexLock lock(mutex_);
    GiveUpBlocked(answers);
  }
  Tell(std::move(answers));
  done(std::move(results));
  RunDue();
}

absl::StatusOr<TaskState> FakeKantoku::Server::Control(Record& record, ControlVerb verb,
                                                       Answers& answers) {
  const std::string id = record.info.id.ToString();
  if (record.output.has_value()) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "TASK_ENDED",
                           absl::StrCat("task ", id, " has ended: ",
                                        platform::ToAbsl(ToString(record.output->status))));
  }
  const bool interrupt = verb == ControlVerb::kInterrupt;
  if (interrupt || verb == ControlVerb::kCancel) {
    if (record.running) {
      return record.info.state = interrupt ? TaskState::kInterrupting : TaskState::kCancelling;
    }
    Finish(record,
           {.status = OutputStatus::kCancelled,
            .error = {.reason = interrupt ? "INTERRUPTED" : "CANCELLED"}},
           answers);
    return TaskState::kCancelled;
  }
  if (verb == ControlVerb::kStep && !record.paused) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "NOT_PAUSED",
                           absl::StrCat("task ", id, " is not paused"));
  }
  // Handlers have no pause points here: one that is told to step runs to its end.
  record.paused = verb == ControlVerb::kPause;
  return Describe(record).state;
}

void FakeKantoku::Server::Get(TasksRequest request, GetDone done) {
  std::vector<absl::StatusOr<TaskInfo>> results;
  {
    platform::MutexLock lock(mutex_);
    for (const TaskId& id : request.ids) {
      const Record* const record = Find(id);
      results.push_back(record == nullptr ? absl::StatusOr<TaskInfo>(Unknown(id))
                                          : Describe(*record));
    }
  }
  done(std::move(results));
}

void FakeKantoku::Server::GetOutputs(TasksRequest request, GetOutputsDone done) {
  std::vector<absl::StatusOr<Output>> results;
  {
    platform::MutexLock lock(mutex_);
    for (const TaskId& id : request.ids) {
      const Record* const record = Find(id);
      results.push_back(record == nullptr || !record->output.has_value()
                            ? absl::StatusOr<Output>(Unknown(id))
                            : *record->output);
    }
  }
  done(std::move(results));
}

absl::StatusOr<TaskPage> FakeKantoku::Server::List(ListRequest request) {
  if (!request.query.filter.empty()) return internal::NoFilters();
  uint64_t begin = 0;
  if (!request.query.page_token.empty() && !absl::SimpleAtoi(request.query.page_token, &begin)) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_PAGE_TOKEN",
                           absl::StrCat("page_token: '", request.query.page_token, "' is none"));
  }
  const auto& states = request.query.states;
  std::vector<TaskInfo> living;
  std::vector<TaskInfo> ended;
  {
    platform::MutexLock lock(mutex_);
    for (const auto& record : records_) {
      TaskInfo info = Describe(*record);
      if (info.namespace_name != request.namespace_name) continue;
      if (!request.query.type.empty() && info.type != request.query.type) continue;
      if (!request.query.root.empty() && info.root != request.query.root) continue;
      if (!request.query.context_id.empty() && info.context_id != request.query.context_id) {
        continue;
      }
      if (!states.empty() && std::find(states.begin(), states.end(), info.state) == states.end()) {
        continue;
      }
      (info.ended_at.has_value() ? ended : living).push_back(std::move(info));
    }
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const TaskInfo& a, const TaskInfo& b) { return *a.ended_at > *b.ended_at; });
  living.insert(living.end(), ended.begin(), ended.end());
  internal::Sort(request.query, living);
  const uint64_t size = request.query.page_size == 0 ? kDefaultPageSize : request.query.page_size;
  TaskPage page;
  for (uint64_t i = begin; i < living.size() && i < begin + size; ++i) {
    page.tasks.push_back(living[i]);
  }
  if (begin + size < living.size()) page.next_page_token = absl::StrCat(begin + size);
  return page;
}

absl::StatusOr<std::vector<ExecutorInfo>> FakeKantoku::Server::ListExecutors(
    ListExecutorsRequest /*request*/) {
  platform::MutexLock lock(mutex_);
  ExecutorInfo executor{.name = "fake",
                        .executor_owner = "local",
                        .client_id = "local",
                        .labels = {{"app", "local"}, {"executor", "fake"}, {"owner", "local"}},
                        .connected = true,
                        .max_held = paused_ ? 0u : 1u,
                        .connected_at = now_};
  for (const auto& [type, handler] : handlers_) executor.types.push_back(type);
  std::vector<ExecutorInfo> executors;
  if (!handlers_.empty()) executors.push_back(std::move(executor));
  return executors;
}

std::vector<absl::Status> FakeKantoku::Server::ControlExecutors(ControlExecutorsRequest request) {
  std::vector<absl::Status> statuses;
  for (const std::string& id : request.session_ids) {
    statuses.push_back(platform::Error(absl::StatusCode::kNotFound, "NO_SUCH_SESSION",
                                       absl::StrCat("session_ids: there is no session ", id)));
  }
  return statuses;
}

absl::Status FakeKantoku::Server::SetRoute(SetRouteRequest request) {
  platform::MutexLock lock(mutex_);
  const auto key = std::make_pair(request.namespace_name, request.route.type);
  if (!request.route.selector.empty()) {
    routes_[key] = request.route.selector;
    return absl::OkStatus();
  }
  if (routes_.erase(key) > 0) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kNotFound, "NO_SUCH_ROUTE",
                         absl::StrCat("type: there is no route for \"", request.route.type, "\""));
}

absl::StatusOr<std::vector<Route>> FakeKantoku::Server::ListRoutes(ListRoutesRequest request) {
  platform::MutexLock lock(mutex_);
  std::vector<Route> routes;
  for (const auto& [key, selector] : routes_) {
    if (key.first == request.namespace_name) routes.push_back({key.second, selector});
  }
  return routes;
}

absl::StatusOr<EventPage> FakeKantoku::Server::ReadEvents(ReadEventsRequest request) {
  return events_->Read(request);
}

std::unique_ptr<EventStream> FakeKantoku::Server::Subscribe(SubscribeRequest request) {
  return events_->Subscribe(request);
}

std::unique_ptr<ItemStream> FakeKantoku::Server::Stream(StreamRequest request) {
  return items_->Stream(request.id, request.from);
}

absl::Time FakeKantoku::Server::Now() {
  platform::MutexLock lock(mutex_);
  return now_;
}

FakeKantoku::Server::Record* FakeKantoku::Server::Find(const TaskId& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

TaskInfo FakeKantoku::Server::Describe(const Record& record) const {
  TaskInfo info = record.info;
  if (record.running || record.output.has_value()) return info;
  info.open_dependencies = OpenOf(record);
  if (record.paused) {
    info.state = TaskState::kPaused;
    info.wait_cause = WaitCause::kPaused;
  } else if (info.open_dependencies > 0) {
    info.state = TaskState::kBlocked;
    info.wait_cause = WaitCause::kDependency;
  } else if (record.due > now_) {
    info.state = TaskState::kScheduled;
    info.wait_cause = info.failed_attempts > 0 ? WaitCause::kBackoff : WaitCause::kDelay;
  } else {
    info.state = TaskState::kReady;
    info.wait_cause =
        handlers_.count(record.spec.type) > 0 ? WaitCause::kNoCredit : WaitCause::kNoImplementation;
  }
  if (now_ > info.created_at) info.waits = {{info.wait_cause, now_ - info.created_at}};
  return info;
}

void FakeKantoku::Server::Say(const Record& record, const std::string& type) {
  events_->Append({.type = type,
                   .at = now_,
                   .task_id = record.info.id,
                   .namespace_name = record.info.namespace_name,
                   .owner = record.info.owner,
                   .task_type = record.info.type,
                   .dispatch = record.info.dispatch});
}

void FakeKantoku::Server::RunDue() {
  while (true) {
    Record* record = nullptr;
    Generator handler;
    uint32_t dispatch = 0;
    {
      platform::MutexLock lock(mutex_);
      record = NextDue();
      if (record == nullptr) return;
      handler = handlers_[record->spec.type];
      record->running = true;
      record->info.state = TaskState::kRunning;
      dispatch = ++record->info.dispatch;
      Say(*record, "task.started");
    }
    const auto yield = [&](std::string data, std::string content_type) {
      items_->Yield(record->info.id, dispatch, std::move(data), std::move(content_type));
    };
    absl::StatusOr<std::string> result = Run(handler, record->spec, yield);
    Answers answers;
    {
      platform::MutexLock lock(mutex_);
      Settle(*record, std::move(result), answers);
      GiveUpBlocked(answers);
    }
    Tell(std::move(answers));
  }
}

FakeKantoku::Server::Record* FakeKantoku::Server::NextDue() {
  if (paused_) return nullptr;
  Record* next = nullptr;
  for (const auto& record : records_) {
    if (record->running || record->paused || record->output.has_value()) continue;
    if (record->due > now_ || OpenOf(*record) > 0) continue;
    if (handlers_.count(record->spec.type) == 0) continue;
    if (next == nullptr || record->spec.priority > next->spec.priority) next = record.get();
  }
  return next;
}

void FakeKantoku::Server::Settle(Record& record, absl::StatusOr<std::string> result,
                                 Answers& answers) {
  record.running = false;
  if (result.ok()) {
    return Finish(record, {.status = OutputStatus::kSucceeded, .data = *std::move(result)},
                  answers);
  }
  if (record.info.state == TaskState::kCancelling) {
    return Finish(record, {.status = OutputStatus::kCancelled, .error = {.reason = "CANCELLED"}},
                  answers);
  }
  record.info.last_error = ErrorOf(result.status());
  record.info.attempts.push_back({record.info.dispatch, now_, *record.info.last_error});
  const RetryPolicy policy = record.spec.retry.value_or(RetryPolicy());
  const uint32_t failures = ++record.info.failed_attempts;
  const bool final =
      IsFinal(result.status()) || record.spec.effect == EffectClass::kOnce ||
      absl::c_linear_search(policy.non_retryable_reasons, record.info.last_error->reason);
  if (!final && failures < policy.max_attempts.value_or(kDefaultAttempts)) {
    record.due = now_ + PauseAfterFailure(policy, failures);
    return;
  }
  Finish(record, {.status = OutputStatus::kFailed, .error = *record.info.last_error}, answers);
}

void FakeKantoku::Server::Finish(Record& record, Output output, Answers& answers) {
  output.id = record.info.id;
  output.dispatch = record.info.dispatch;
  output.ended_at = now_;
  record.info.state = StateOf(output.status);
  record.info.ended_at = now_;
  items_->End(output.id, output);
  record.info.placement.reset();
  record.info.keys = {};
  record.output = std::move(output);
  Say(record, "task.finished");
  for (Waiter& waiter : record.waiters)
    answers.emplace_back(std::move(waiter.done), *record.output);
  record.waiters.clear();
}

absl::Status FakeKantoku::FailFinally(std::string_view reason, std::string_view message) {
  absl::Status status = platform::Error(absl::StatusCode::kFailedPrecondition, reason, message);
  status.SetPayload(kFinalPayload, absl::Cord("1"));
  return status;
}

FakeKantoku::FakeKantoku() : server_(std::make_shared<Server>()) {}

Client FakeKantoku::Connect(ClientOptions options) { return Client(server_, std::move(options)); }

void FakeKantoku::Handle(const std::string& type, Handler handler) {
  server_->Handle(type, [handler = std::move(handler)](const TaskSpec& spec, const Yield&) {
    return handler(spec);
  });
}

void FakeKantoku::HandleGenerator(const std::string& type, Generator generator) {
  server_->Handle(type, std::move(generator));
}

void FakeKantoku::Pause() { server_->SetPaused(true); }

void FakeKantoku::Resume() { server_->SetPaused(false); }

void FakeKantoku::AdvanceTime(absl::Duration by) { server_->AdvanceTime(by); }

absl::Time FakeKantoku::Now() const { return server_->Now(); }

void FakeKantoku::FailNextSpawn(absl::Status status) { server_->FailNextSpawn(std::move(status)); }

std::vector<TaskSpec> FakeKantoku::spawned() const { return server_->spawned(); }

}  // namespace kantoku
