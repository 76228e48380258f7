#include "services/executor-runtime/argument_queue.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace outputspb = ::kantoku::outputs::v1;

constexpr int kMostInCall = 10'000;
constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

// Not once it was taken away or handed back.
bool IsWanted(const HeldTask& task) { return !task.dropped && task.phase == Phase::kFetching; }

ArgumentStatus StatusOf(outputspb::ResultStatus status) {
  switch (status) {
    case outputspb::RESULT_STATUS_SUCCEEDED:
      return ArgumentStatus::kSucceeded;
    case outputspb::RESULT_STATUS_CANCELLED:
      return ArgumentStatus::kCancelled;
    default:
      return ArgumentStatus::kFailed;
  }
}

}  // namespace

ArgumentQueue::ArgumentQueue(Ledger& ledger, const platform::SessionId& session,
                             std::function<uint64_t()> random)
    : ledger_(ledger),
      session_(session),
      random_(std::move(random)),
      backoff_(kFirstPause, kLongestPause) {}

void ArgumentQueue::Add(const HeldTaskPtr& task, absl::Duration now) {
  for (size_t i = 0; i < task->arguments.size(); ++i) waiting_.push_back({task, i});
  patience_.emplace_back(now + kPatience, task);
}

void ArgumentQueue::OnTime(absl::Duration now) {
  while (!patience_.empty() &&
         (now >= patience_.front().first || !IsWanted(*patience_.front().second))) {
    ledger_.ReturnFetch(patience_.front().second,
                        {inputspb::NACK_KIND_RETURNED, "ARGUMENTS_UNAVAILABLE",
                         "outputs did not give the arguments in time"});
    patience_.pop_front();
  }
}

absl::Duration ArgumentQueue::next_time() const {
  const absl::Duration patience =
      patience_.empty() ? absl::InfiniteDuration() : patience_.front().first;
  return in_flight_ || waiting_.empty() ? patience : std::min(patience, retry_at_);
}

bool ArgumentQueue::Fill(outputspb::GetRequest& request) {
  request.Clear();
  request.set_session_id(session_.bytes().data(), session_.bytes().size());
  while (!waiting_.empty() && request.task_ids_size() < kMostInCall) {
    Wanted& wanted = waiting_.front();
    if (IsWanted(*wanted.task)) {
      request.add_task_ids(std::string(wanted.task->arguments[wanted.index].task_id.bytes()));
      request.add_read_grants(wanted.task->grants[wanted.index]);
      sent_.push_back(std::move(wanted));
    }
    waiting_.pop_front();
  }
  in_flight_ = !sent_.empty();
  return in_flight_;
}

std::vector<HeldTaskPtr> ArgumentQueue::OnAnswer(const absl::Status& status,
                                                 outputspb::GetResponse& response,
                                                 absl::Duration now) {
  in_flight_ = false;
  std::vector<HeldTaskPtr> complete;
  std::vector<Wanted> again;
  const bool answered = status.ok() && response.results_size() == static_cast<int>(sent_.size());
  for (size_t i = 0; i < sent_.size(); ++i) {
    const Wanted& wanted = sent_[i];
    if (!IsWanted(*wanted.task)) continue;
    if (!answered || OnItem(wanted, *response.mutable_results(static_cast<int>(i)))) {
      again.push_back(wanted);
    } else if (IsWanted(*wanted.task) && wanted.task->arguments_missing == 0) {
      complete.push_back(wanted.task);
    }
  }
  // What an answer had no room for is asked for at once; it is less each time.
  if (again.size() < sent_.size()) {
    backoff_.Reset();
    retry_at_ = absl::ZeroDuration();
  } else {
    retry_at_ = now + backoff_.Next(random_());
  }
  sent_.clear();
  waiting_.insert(waiting_.begin(), again.begin(), again.end());
  return complete;
}

bool ArgumentQueue::OnItem(const Wanted& wanted, outputspb::GetResult& result) {
  const HeldTaskPtr& task = wanted.task;
  const std::string id = task->arguments[wanted.index].task_id.ToString();
  switch (static_cast<absl::StatusCode>(result.status().code())) {
    case absl::StatusCode::kOk:
      Take(wanted, *result.mutable_result());
      return false;
    case absl::StatusCode::kNotFound:
      if (KANTOKU_PLANTED("argument that is gone left out")) {
        --task->arguments_missing;
        return false;
      }
      ledger_.ReturnFetch(
          task, {inputspb::NACK_KIND_FAILED_FINALLY, "DEPENDENCY_EXPIRED",
                 absl::StrCat("the result of task ", id, ", an argument, is no longer kept")});
      return false;
    case absl::StatusCode::kPermissionDenied:  // The grant has ended; another dispatch has a new
                                               // one.
      ledger_.ReturnFetch(task, {inputspb::NACK_KIND_RETURNED, result.status().reason(),
                                 result.status().message()});
      return false;
    default:
      return true;
  }
}

void ArgumentQueue::Take(const Wanted& wanted, outputspb::Result& result) {
  HeldTask& task = *wanted.task;
  const bool misplaced = KANTOKU_PLANTED("argument in the place of another");
  TaskArgument& argument = task.arguments[misplaced ? 0 : wanted.index];
  argument.status = StatusOf(result.status());
  argument.data.swap(*result.mutable_data());
  argument.content_type.swap(*result.mutable_content_type());
  argument.reason.swap(*result.mutable_error()->mutable_reason());
  argument.message.swap(*result.mutable_error()->mutable_message());
  --task.arguments_missing;
  task.argument_bytes += argument.data.size();
  if (task.argument_bytes <= kMaxBytes) return;
  ledger_.ReturnFetch(wanted.task,
                      {inputspb::NACK_KIND_FAILED_FINALLY, "ARGUMENTS_TOO_LARGE",
                       absl::StrCat("the arguments have more than ", kMaxBytes, " bytes")});
}

}  // namespace kantoku::executor
