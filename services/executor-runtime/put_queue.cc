#include "services/executor-runtime/put_queue.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/executor-runtime/put_verdict.h"
#include "services/executor-runtime/result_limits.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace outputspb = ::kantoku::outputs::v1;

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Seconds(2);
constexpr absl::Duration kLongestHint = absl::Seconds(30);  // That a server may give.

// Not once it was taken away or handed back.
bool IsWanted(const HeldTask& task) { return !task.dropped && task.phase == Phase::kPutting; }

}  // namespace

PutQueue::PutQueue(Ledger& ledger, const platform::SessionId& session,
                   std::function<uint64_t()> random)
    : ledger_(ledger),
      session_(session),
      random_(std::move(random)),
      backoff_(kFirstPause, kLongestPause) {}

void PutQueue::Add(HeldTaskPtr task, Result result) {
  waiting_.push_back({std::move(task), std::move(result)});
}

void PutQueue::OnTime(absl::Duration now) {
  std::erase_if(unleased_, [&](Unleased& unleased) {
    const HeldTaskPtr& task = unleased.waiting.task;
    if (!IsWanted(*task)) return true;
    if (task->lease_token != unleased.refused_token) {
      waiting_.push_front(std::move(unleased.waiting));
      return true;
    }
    if (now < unleased.until) return false;
    HandBack(task, unleased.answer);
    return true;
  });
}

absl::Duration PutQueue::next_time() const {
  const absl::Duration patience =
      unleased_.empty() ? absl::InfiniteDuration() : unleased_.front().until;
  return in_flight_ || waiting_.empty() ? patience : std::min(patience, retry_at_);
}

bool PutQueue::Fill(outputspb::PutRequest& request) {
  request.Clear();
  request.set_session_id(session_.bytes().data(), session_.bytes().size());
  sent_bytes_ = 0;
  while (!waiting_.empty() && request.items_size() < (alone_ > 0 ? 1 : kMaxPutItems)) {
    auto& [task, result] = waiting_.front();
    if (IsWanted(*task)) {
      const size_t bytes = result.data.size() + kPutItemOverhead / 16 + task->lease_token.size();
      if (sent_bytes_ + bytes > kMaxPutBytes && request.items_size() > 0) break;
      sent_bytes_ += bytes;
      outputspb::PutItem& item = *request.add_items();
      item.set_lease_token(task->lease_token);
      item.mutable_data()->swap(result.data);
      item.mutable_content_type()->swap(result.content_type);
      item.set_item_count(task->items);
      sent_.push_back(std::move(task));
    }
    waiting_.pop_front();
  }
  if (alone_ > 0) --alone_;
  in_flight_ = !sent_.empty();
  return in_flight_;
}

void PutQueue::OnAnswer(const absl::Status& status, outputspb::PutRequest& request,
                        outputspb::PutResponse& response, absl::Duration now) {
  in_flight_ = false;
  std::vector<size_t> again;
  absl::Duration hint = absl::ZeroDuration();
  const bool answered = status.ok() && response.results_size() == request.items_size();
  if (answered) {
    for (int i = 0; i < request.items_size(); ++i) {
      if (!OnItem(sent_[i], *request.mutable_items(i), *response.mutable_results(i), now)) continue;
      again.push_back(i);
      hint = std::max(hint, platform::FromProto(response.results(i).status().retry_after()));
    }
  } else if (Judge(status.code()) == PutVerdict::kBad && sent_.size() == 1) {
    ledger_.ReturnPut(sent_[0], {inputspb::NACK_KIND_FAILED_FINALLY, platform::ReasonOf(status),
                                 std::string(platform::ToStd(status.message()))});
  } else {
    again.resize(sent_.size());
    std::iota(again.begin(), again.end(), 0);
    // One of them spoils the rest; which, shows when they go one by one.
    if (Judge(status.code()) == PutVerdict::kBad) alone_ = static_cast<int>(sent_.size());
  }
  if (again.empty() || alone_ > 0) {
    backoff_.Reset();
    retry_at_ = absl::ZeroDuration();
  } else {
    const absl::Duration pause = backoff_.Next(random_());
    retry_at_ = now + std::max(pause, std::min(hint, kLongestHint));
  }
  TakeBack(std::move(again), request);
}

bool PutQueue::OnItem(const HeldTaskPtr& task, outputspb::PutItem& item,
                      outputspb::PutResult& result, absl::Duration now) {
  if (!IsWanted(*task)) return false;
  const auto code = static_cast<absl::StatusCode>(result.status().code());
  if (code == absl::StatusCode::kOk) {
    ledger_.OnReceipt(task, std::move(*result.mutable_receipt()));
    return false;
  }
  if (code == absl::StatusCode::kPermissionDenied) {
    // A token that was replaced meanwhile may have ended; its successor has not.
    if (item.lease_token() != task->lease_token) return true;
    unleased_.push_back({.waiting = TakeOut(task, item),
                         .refused_token = item.lease_token(),
                         .answer = std::move(result),
                         .until = now + kRenewalPatience});
    return false;
  }
  if (Judge(code) == PutVerdict::kRetry) return true;
  HandBack(task, result);
  return false;
}

void PutQueue::HandBack(const HeldTaskPtr& task, const outputspb::PutResult& answer) {
  const auto code = static_cast<absl::StatusCode>(answer.status().code());
  ledger_.ReturnPut(task, {Judge(code) == PutVerdict::kBad ? inputspb::NACK_KIND_FAILED_FINALLY
                                                           : inputspb::NACK_KIND_RETURNED,
                           answer.status().reason(), answer.status().message()});
}

PutQueue::Waiting PutQueue::TakeOut(HeldTaskPtr task, outputspb::PutItem& item) {
  Waiting waiting{.task = std::move(task)};
  waiting.result.data.swap(*item.mutable_data());
  waiting.result.content_type.swap(*item.mutable_content_type());
  return waiting;
}

void PutQueue::TakeBack(std::vector<size_t> indexes, outputspb::PutRequest& request) {
  while (!indexes.empty()) {
    const size_t index = indexes.back();
    indexes.pop_back();
    outputspb::PutItem& item = *request.mutable_items(static_cast<int>(index));
    waiting_.push_front(TakeOut(std::move(sent_[index]), item));
  }
  sent_.clear();
}

}  // namespace kantoku::executor
