#include "services/executor-runtime/item_queue.h"

#include <algorithm>

#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/executor-runtime/put_verdict.h"
#include "services/executor-runtime/result_limits.h"
#include "services/platform/planted.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace outputspb = ::kantoku::outputs::v1;

constexpr absl::Duration kFirstPause = absl::Milliseconds(20);
constexpr absl::Duration kLongestPause = absl::Seconds(2);
constexpr absl::Duration kLongestHint = absl::Seconds(30);  // That a server may give.

size_t SizeOf(const Result& item) { return item.data.size() + item.content_type.size(); }

// Not once it was taken away or handed back.
bool IsWanted(const HeldTask& task) {
  return !task.dropped && (task.phase == Phase::kRunning || task.phase == Phase::kPutting);
}

}  // namespace

ItemQueue::ItemQueue(Ledger& ledger, PutQueue& puts, const platform::SessionId& session,
                     std::function<uint64_t()> random)
    : ledger_(ledger),
      puts_(puts),
      session_(session),
      random_(std::move(random)),
      backoff_(kFirstPause, kLongestPause) {}

ItemQueue::Window* ItemQueue::Find(const DispatchKey& key) {
  const auto found = windows_.find(key);
  return found == windows_.end() ? nullptr : found->second.get();
}

bool ItemQueue::HasRoom(const HeldTask& task, size_t bytes) const {
  const auto found = windows_.find(task.key);
  if (found == windows_.end() || found->second->items.empty()) return true;
  const Window& window = *found->second;
  return window.items.size() < kWindowItems && window.bytes + bytes <= kWindowBytes;
}

bool ItemQueue::Holds(const HeldTask& task) const {
  const auto found = windows_.find(task.key);
  return found != windows_.end() && !found->second->items.empty();
}

void ItemQueue::Add(const HeldTaskPtr& task, Result item) {
  std::unique_ptr<Window>& window = windows_[task->key];
  if (window == nullptr) {
    window = std::make_unique<Window>();
    window->task = task;
  }
  ++task->items;
  window->bytes += SizeOf(item);
  window->items.push_back(std::move(item));
  Enqueue(*window);
}

// Those that are on their way or wait for a lease go on by themselves.
void ItemQueue::Enqueue(Window& window) {
  const bool sent = std::find(sent_.begin(), sent_.end(), window.task->key) != sent_.end();
  if (sent || !window.refused_token.empty() || window.items.empty()) return;
  if (!std::exchange(window.waits, true)) waiting_.push_back(window.task->key);
}

void ItemQueue::Finish(HeldTaskPtr task, Result result) {
  Window* const window = Find(task->key);
  if (window == nullptr || window->items.empty() || KANTOKU_PLANTED("result overtakes its items")) {
    windows_.erase(task->key);
    return puts_.Add(std::move(task), std::move(result));
  }
  window->result = std::move(result);
}

void ItemQueue::OnTime(absl::Duration now) {
  std::erase_if(unleased_, [&](const DispatchKey& key) {
    Window* const window = Find(key);
    if (window == nullptr) return true;
    const bool wanted = IsWanted(*window->task);
    if (wanted && window->task->lease_token == window->refused_token && now < window->until) {
      return false;
    }
    if (wanted && now >= window->until) {
      Refuse(*window, absl::StatusCode::kPermissionDenied, "INVALID_LEASE",
             "the lease has ended and was not renewed");
    }
    window->refused_token.clear();
    GoOn(*window);
    return true;
  });
}

absl::Duration ItemQueue::next_time() const {
  absl::Duration patience = absl::InfiniteDuration();
  if (!unleased_.empty()) {
    const auto first = windows_.find(unleased_.front());
    patience = first == windows_.end() ? retry_at_ : first->second->until;
  }
  return in_flight_ || waiting_.empty() ? patience : std::min(patience, retry_at_);
}

bool ItemQueue::Fill(outputspb::PutItemsRequest& request) {
  request.Clear();
  request.set_session_id(session_.bytes().data(), session_.bytes().size());
  sent_bytes_ = 0;
  const int most = alone_ > 0 ? 1 : kMaxItemBatches;
  while (!waiting_.empty() && request.batches_size() < most) {
    Window* const window = Find(waiting_.front());
    if (window != nullptr && IsWanted(*window->task)) {
      // A window may hold one item that is larger than windows are.
      if (sent_bytes_ + window->bytes > kMaxPutBytes && !sent_.empty()) break;
      window->waits = false;
      sent_bytes_ += window->bytes;
      FillBatch(*window, *request.add_batches());
      sent_.push_back(window->task->key);
    } else if (window != nullptr && window->result.has_value()) {
      windows_.erase(waiting_.front());
    }
    waiting_.pop_front();
  }
  if (alone_ > 0) --alone_;
  in_flight_ = !sent_.empty();
  return in_flight_;
}

void ItemQueue::FillBatch(Window& window, outputspb::ItemBatch& batch) {
  batch.set_lease_token(window.task->lease_token);
  batch.set_first_sequence(window.first);
  for (Result& item : window.items) {
    outputspb::Item& sent = *batch.add_items();
    sent.mutable_data()->swap(item.data);
    sent.mutable_content_type()->swap(item.content_type);
  }
}

void ItemQueue::TakeBack(Window& window, outputspb::ItemBatch& batch) {
  for (int i = 0; i < batch.items_size(); ++i) {
    outputspb::Item& sent = *batch.mutable_items(i);
    Result& item = window.items[i];
    item.data.swap(*sent.mutable_data());
    item.content_type.swap(*sent.mutable_content_type());
  }
}

void ItemQueue::OnAnswer(const absl::Status& status, outputspb::PutItemsRequest& request,
                         const outputspb::PutItemsResponse& response, absl::Duration now) {
  in_flight_ = false;
  const std::vector<DispatchKey> sent = std::exchange(sent_, {});
  const bool answered = status.ok() && response.results_size() == request.batches_size();
  const bool bad = !answered && Judge(status.code()) == PutVerdict::kBad;
  // One of them spoils the rest; which, shows when they go one by one.
  if (bad && sent.size() > 1) alone_ = static_cast<int>(sent.size());
  bool pause = !answered && !bad;
  absl::Duration hint = absl::ZeroDuration();
  for (size_t i = 0; i < sent.size(); ++i) {
    Window* const window = Find(sent[i]);
    if (window == nullptr) continue;
    outputspb::ItemBatch& batch = *request.mutable_batches(static_cast<int>(i));
    TakeBack(*window, batch);
    if (answered) {
      const outputspb::ItemBatchResult& result = response.results(static_cast<int>(i));
      if (OnBatch(*window, batch, result, now)) {
        pause = true;
        hint = std::max(hint, platform::FromProto(result.status().retry_after()));
      }
    } else if (bad && sent.size() == 1) {
      Refuse(*window, status.code(), platform::ReasonOf(status),
             std::string(platform::ToStd(status.message())));
    }
    GoOn(*window);
  }
  if (pause) {
    retry_at_ = now + std::max(backoff_.Next(random_()), std::min(hint, kLongestHint));
  } else {
    backoff_.Reset();
    retry_at_ = absl::ZeroDuration();
  }
}

bool ItemQueue::OnBatch(Window& window, const outputspb::ItemBatch& batch,
                        const outputspb::ItemBatchResult& result, absl::Duration now) {
  if (!IsWanted(*window.task)) return false;
  const auto code = static_cast<absl::StatusCode>(result.status().code());
  if (code == absl::StatusCode::kOk) {
    OnDurable(window, batch.first_sequence() + batch.items_size() - 1);
    return false;
  }
  if (code == absl::StatusCode::kPermissionDenied) {
    // A token that was replaced meanwhile may have ended; its successor has not.
    if (batch.lease_token() != window.task->lease_token) return false;
    window.refused_token = batch.lease_token();
    window.until = now + PutQueue::kRenewalPatience;
    unleased_.push_back(window.task->key);
    return false;
  }
  if (Judge(code) == PutVerdict::kRetry) return true;
  Refuse(window, code, result.status().reason(), result.status().message());
  return false;
}

void ItemQueue::OnDurable(Window& window, uint64_t sequence) {
  for (; !window.items.empty() && window.first <= sequence; ++window.first) {
    window.bytes -= SizeOf(window.items.front());
    window.items.pop_front();
  }
  ledger_.OnItemsDurable(window.task, window.first - 1);
  room_made_ = true;
}

void ItemQueue::Refuse(Window& window, absl::StatusCode code, std::string reason,
                       std::string message) {
  ledger_.ReturnItems(window.task,
                      {Judge(code) == PutVerdict::kBad ? inputspb::NACK_KIND_FAILED_FINALLY
                                                       : inputspb::NACK_KIND_RETURNED,
                       std::move(reason), std::move(message)});
  room_made_ = true;
}

void ItemQueue::GoOn(Window& window) {
  if (!window.result.has_value()) {
    if (IsWanted(*window.task)) Enqueue(window);
    return;
  }
  if (IsWanted(*window.task) && !window.items.empty()) return Enqueue(window);
  if (IsWanted(*window.task)) puts_.Add(window.task, *std::move(window.result));
  windows_.erase(DispatchKey(window.task->key));
}

}  // namespace kantoku::executor
