#include "services/inputs/ends_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/caller.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

using platform::Error;
using platform::MutexLock;

constexpr std::chrono::seconds kPatience(5);
constexpr size_t kMostInCall = 10'000;
constexpr size_t kMostWaiting = 1'000'000;

absl::Status Unanswered(std::string_view why) {
  return Error(
      absl::StatusCode::kUnavailable, "OUTPUTS_UNAVAILABLE",
      absl::StrCat("dependencies: outputs does not say how they ended: ", platform::ToAbsl(why)));
}

// What one result says. Only that there is none is an answer; else nobody knows.
absl::StatusOr<std::optional<TaskState>> EndOf(const outputs::v1::GetResult& result) {
  const auto code = static_cast<absl::StatusCode>(result.status().code());
  if (code == absl::StatusCode::kNotFound) return std::nullopt;
  if (code == absl::StatusCode::kOk) return StateOf(result.result().status());
  return Unanswered(result.status().message());
}

}  // namespace

std::optional<TaskState> StateOf(outputs::v1::ResultStatus status) {
  switch (status) {
    case outputs::v1::RESULT_STATUS_SUCCEEDED:
      return TaskState::kSucceeded;
    case outputs::v1::RESULT_STATUS_FAILED:
      return TaskState::kFailed;
    case outputs::v1::RESULT_STATUS_CANCELLED:
      return TaskState::kCancelled;
    default:
      return std::nullopt;
  }
}

EndsClient::EndsClient(const std::shared_ptr<grpc::Channel>& channel, platform::Clock& clock,
                       const platform::MacKeys& keys)
    : stub_(outputs::v1::OutputsService::NewStub(channel)),
      clock_(clock),
      keys_(keys),
      thread_([this] { Run(); }) {}

void EndsClient::Ask(EndsQuestion question, Done done) {
  absl::Status refusal;
  {
    MutexLock lock(mutex_);
    const size_t tasks = question.tasks.size();
    if (stopped_) {
      refusal = Unanswered("the server is stopping");
    } else if (waiting_tasks_ > 0 && waiting_tasks_ + tasks > kMostWaiting) {
      refusal = Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_QUESTIONS",
                      absl::StrCat("dependencies: outputs is asked about ", waiting_tasks_,
                                   " tasks already; at most ", kMostWaiting, " wait"));
    } else {
      waiting_tasks_ += tasks;
      waiting_.push_back({std::move(question), std::move(done)});
      changed_.Signal();
      return;
    }
  }
  done(refusal);
}

void EndsClient::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void EndsClient::Run() {
  for (std::vector<Asked> batch = Next(); !batch.empty(); batch = Next()) {
    const absl::StatusOr<Ends> ends = Answer(batch);
    size_t from = 0;
    for (Asked& asked : batch) {
      if (!ends.ok()) {
        asked.done(ends.status());
        continue;
      }
      const auto first = ends->begin() + static_cast<std::ptrdiff_t>(from);
      from += asked.question.tasks.size();
      asked.done(Ends(first, ends->begin() + static_cast<std::ptrdiff_t>(from)));
    }
  }
}

std::vector<EndsClient::Asked> EndsClient::Next() {
  MutexLock lock(mutex_);
  while (!stopped_ && waiting_.empty()) changed_.Wait(mutex_);
  std::vector<Asked> batch;
  size_t tasks = 0;
  while (!waiting_.empty()) {
    const EndsQuestion& next = waiting_.front().question;
    const bool fits = batch.empty() || (next.owner == batch.front().question.owner &&
                                        next.name_space == batch.front().question.name_space &&
                                        tasks + next.tasks.size() <= kMostInCall);
    if (!fits) break;
    tasks += next.tasks.size();
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_tasks_ -= tasks;
  return batch;
}

absl::StatusOr<Ends> EndsClient::Answer(const std::vector<Asked>& batch) {
  Ends ends;
  outputs::v1::GetRequest request;
  request.set_statuses_only(true);
  request.set_subject(batch.front().question.owner);
  request.set_namespace_(batch.front().question.name_space);
  for (const Asked& asked : batch) {
    for (const TaskId& task : asked.question.tasks) {
      request.add_task_ids(std::string(task.bytes()));
      if (request.task_ids_size() < static_cast<int>(kMostInCall)) continue;
      KANTOKU_RETURN_IF_ERROR(Call(request, ends));
      request.clear_task_ids();
    }
  }
  if (!request.task_ids().empty()) KANTOKU_RETURN_IF_ERROR(Call(request, ends));
  return ends;
}

absl::Status EndsClient::Call(const outputs::v1::GetRequest& request, Ends& ends) {
  grpc::ClientContext context;
  {
    MutexLock lock(mutex_);
    if (stopped_) return Unanswered("the server is stopping");
    under_way_ = &context;
  }
  platform::PresentAsService(context, keys_, "inputs", clock_.Read().wall);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  outputs::v1::GetResponse response;
  const absl::Status status = platform::FromGrpc(stub_->Get(&context, request, &response));
  {
    MutexLock lock(mutex_);
    under_way_ = nullptr;
  }
  if (!status.ok()) return Unanswered(platform::ToStd(status.message()));
  if (response.results_size() != request.task_ids_size()) return Unanswered("too few answers");
  for (const outputs::v1::GetResult& result : response.results()) {
    KANTOKU_ASSIGN_OR_RETURN(ends.emplace_back(), EndOf(result));
  }
  return absl::OkStatus();
}

}  // namespace kantoku::inputs
