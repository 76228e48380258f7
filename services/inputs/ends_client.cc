#include "services/inputs/ends_client.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

using platform::Error;
using platform::MutexLock;

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr size_t kCalls = 4;  // At once.
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

// Of one question.
absl::StatusOr<Ends> Together(std::span<const absl::StatusOr<std::optional<TaskState>>> ends) {
  Ends together;
  together.reserve(ends.size());
  for (const auto& end : ends) {
    KANTOKU_RETURN_IF_ERROR(end.status());
    together.push_back(*end);
  }
  return together;
}

bool DidNotFit(const outputs::v1::GetResult& result) {
  return result.status().code() == static_cast<int>(absl::StatusCode::kResourceExhausted) &&
         result.status().reason() == "ANSWER_TOO_LARGE";
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
    : stub_(outputs::v1::OutputsService::NewStub(channel)), clock_(clock), keys_(keys) {
  threads_.reserve(kCalls);
  for (size_t i = 0; i < kCalls; ++i) threads_.emplace_back([this] { Run(); });
}

void EndsClient::Ask(EndsQuestion question, Done done) {
  const absl::Duration start_by = clock_.Read().steady + kPatience;
  absl::Status refusal;
  {
    MutexLock lock(mutex_);
    const size_t tasks = question.tasks.size();
    if (stopped_) {
      refusal = Unanswered("the server is stopping");
    } else if (waiting_tasks_ > 0 && waiting_tasks_ + tasks > kMostWaiting) {
      refusal = Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_QUESTIONS",
                      absl::StrCat("dependencies: outputs is asked about as many tasks as may "
                                   "wait for its answer, ",
                                   kMostWaiting));
    } else {
      waiting_tasks_ += tasks;
      const auto owner = owners_.try_emplace({question.name_space, question.owner}).first;
      owner->second.waiting.push_back({std::move(question), start_by, std::move(done)});
      if (owner->second.busy || owner->second.waiting.size() > 1) return;
      next_.push_back(owner);
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
    for (grpc::ClientContext* const call : under_way_) call->TryCancel();
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void EndsClient::Run() {
  for (Batch batch = Next(); !batch.asked.empty(); batch = Next()) {
    const std::vector<absl::StatusOr<Ends>> answers = Answer(batch.asked);
    for (size_t i = 0; i < answers.size(); ++i) batch.asked[i].done(answers[i]);
    Finish(batch.owner);
  }
}

EndsClient::Batch EndsClient::Next() {
  MutexLock lock(mutex_);
  while (!stopped_ && next_.empty()) changed_.Wait(mutex_);
  if (next_.empty()) return {};
  Batch batch{.owner = next_.front(), .asked = {}};
  next_.pop_front();
  Owner& owner = batch.owner->second;
  owner.busy = true;
  size_t tasks = 0;
  while (!owner.waiting.empty()) {
    const size_t more = owner.waiting.front().question.tasks.size();
    if (!batch.asked.empty() && tasks + more > kMostInCall) break;
    tasks += more;
    batch.asked.push_back(std::move(owner.waiting.front()));
    owner.waiting.pop_front();
  }
  waiting_tasks_ -= tasks;
  return batch;
}

void EndsClient::Finish(Owners::iterator owner) {
  MutexLock lock(mutex_);
  owner->second.busy = false;
  if (owner->second.waiting.empty()) {
    owners_.erase(owner);
  } else {
    next_.push_back(owner);  // For this very thread, if no other one is free.
  }
}

std::vector<absl::StatusOr<Ends>> EndsClient::Answer(const std::vector<Asked>& batch) {
  std::vector<TaskId> tasks;
  absl::Time answer_by = absl::InfinitePast();  // The last one who waits counts.
  const platform::Now now = clock_.Read();
  const auto is_over = [&](const Asked& asked) {
    return asked.start_by <= now.steady || asked.question.answer_by <= now.wall;
  };
  for (const Asked& asked : batch) {
    if (is_over(asked)) continue;
    answer_by = std::max(answer_by, asked.question.answer_by);
    tasks.insert(tasks.end(), asked.question.tasks.begin(), asked.question.tasks.end());
  }
  const std::vector<End> ends = AskAll(batch.front().question, tasks, answer_by);
  std::vector<absl::StatusOr<Ends>> answers;
  answers.reserve(batch.size());
  auto next = ends.begin();
  for (const Asked& asked : batch) {
    if (is_over(asked)) {
      answers.emplace_back(Unanswered("it is too busy"));
      continue;
    }
    const auto last = next + static_cast<std::ptrdiff_t>(asked.question.tasks.size());
    answers.push_back(Together(std::span(next, last)));
    next = last;
  }
  return answers;
}

std::vector<EndsClient::End> EndsClient::AskAll(const EndsQuestion& whose,
                                                const std::vector<TaskId>& tasks,
                                                absl::Time answer_by) {
  std::vector<End> ends(tasks.size(), Unanswered("an answer has no room for them"));
  std::deque<size_t> left(tasks.size());
  std::iota(left.begin(), left.end(), size_t{0});
  outputs::v1::GetRequest request;
  request.set_statuses_only(true);
  request.set_subject(whose.owner);
  request.set_namespace_(whose.name_space);
  while (!left.empty()) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(left.size(), kMostInCall));
    const std::vector<size_t> asked(left.begin(), left.begin() + count);
    request.clear_task_ids();
    for (const size_t task : asked) request.add_task_ids(std::string(tasks[task].bytes()));
    outputs::v1::GetResponse response;
    if (const absl::Status status = Call(request, answer_by, response); !status.ok()) {
      for (const size_t task : left) ends[task] = status;
      return ends;
    }
    left.erase(left.begin(), left.begin() + count);
    const size_t others = left.size();
    for (size_t i = 0; i < asked.size(); ++i) {
      const outputs::v1::GetResult& result = response.results(static_cast<int>(i));
      if (DidNotFit(result)) {
        left.push_back(asked[i]);
      } else {
        ends[asked[i]] = EndOf(result);
      }
    }
    if (left.size() == others + asked.size()) left.resize(others);  // It never will.
  }
  return ends;
}

absl::Status EndsClient::Call(const outputs::v1::GetRequest& request, absl::Time answer_by,
                              outputs::v1::GetResponse& response) {
  grpc::ClientContext context;
  {
    MutexLock lock(mutex_);
    if (stopped_) return Unanswered("the server is stopping");
    under_way_.insert(&context);
  }
  const absl::Time now = clock_.Read().wall;
  platform::PresentAsService(context, keys_, "inputs", now);
  const absl::Duration patience = std::min(kPatience, answer_by - now);
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(patience));
  const absl::Status status = platform::FromGrpc(stub_->Get(&context, request, &response));
  {
    MutexLock lock(mutex_);
    under_way_.erase(&context);
  }
  if (!status.ok()) return Unanswered(platform::ToStd(status.message()));
  if (response.results_size() != request.task_ids_size()) return Unanswered("too few answers");
  return absl::OkStatus();
}

}  // namespace kantoku::inputs
