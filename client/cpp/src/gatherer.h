#ifndef KANTOKU_CLIENT_CPP_SRC_GATHERER_H_
#define KANTOKU_CLIENT_CPP_SRC_GATHERER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cpp/src/call_set.h"
#include "client/cpp/src/timer.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::internal {

// Turns calls into batches: while one batch is under way, what is submitted queues, and leaves as
// the next batch. A call that finds nothing under way leaves at once. Calls are cut where a batch
// is full, and keep their order. What an answer had no room for leaves again, first in the next
// batch; what the server had no room for rests for as long as it said, and leaves again then.
//
// Thread-safe. `timer`, and the gatherer itself, outlive every batch that `send` has not answered.
template <typename Payload, typename Result>
class Gatherer {
 public:
  struct Limits {
    size_t max_items;
    size_t max_bytes = size_t{16} << 20;
    size_t max_queued_bytes = size_t{256} << 20;
    // An item that has rested for so long is answered as it is.
    absl::Duration max_rest = absl::InfiniteDuration();
  };
  struct Item {
    Payload payload;
    size_t bytes;
    absl::Duration rested = absl::ZeroDuration();
  };
  using Results = std::vector<absl::StatusOr<Result>>;
  // Of payloads that are only moved `send` keeps what it sends, see BatchDone.
  static constexpr bool kGivesBack = !std::is_copy_constructible_v<Payload>;
  // The payload of an item of the batch, once.
  using TakeBack = std::function<Payload(size_t)>;
  // To be called once; of payloads that are given back `take_back` is there, and is used before
  // this returns.
  class BatchDone {
   public:
    using Run = absl::AnyInvocable<void(absl::StatusOr<Results>, const TakeBack&)>;
    BatchDone(std::nullptr_t = nullptr) {}  // NOLINT(google-explicit-constructor): none.
    explicit BatchDone(Run run) : run_(std::move(run)) {}
    void operator()(absl::StatusOr<Results> results, const TakeBack& take_back = nullptr) {
      run_(std::move(results), take_back);
    }

   private:
    Run run_;
  };
  // Sends a batch, and answers as many results as it has payloads, or one error for all of them.
  using Send = std::function<std::shared_ptr<Cancellable>(std::vector<Payload>, BatchDone)>;
  using Done = std::function<void(Results)>;
  // After which rest an item is to be sent again, if that is all that its result says. Without a
  // rest not when it is so for the whole batch: a server that never has room is not asked in a
  // circle.
  using AskAgain = std::function<std::optional<absl::Duration>(const absl::StatusOr<Result>&)>;

  Gatherer(const Limits& limits, Timer& timer, Send send, AskAgain ask_again = nullptr)
      : limits_(limits), timer_(timer), send_(std::move(send)), ask_again_(std::move(ask_again)) {}

  // Items that are errors already are answered with them. Of what has no answer when `timeout` is
  // over, the answer is DEADLINE_EXCEEDED, and what was not sent by then never will be.
  void Submit(std::vector<absl::StatusOr<Item>> items, absl::Duration timeout, Done done) {
    const auto call = std::make_shared<Call>();
    call->done = std::move(done);
    call->timeout = timeout;
    bool answered = false;
    {
      platform::MutexLock lock(mutex_);
      Enqueue(call, std::move(items));
      answered = call->missing == 0;
      if (!answered) {
        call->timer = timer_.After(timeout, [this, call] { Expire(call); });
      }
    }
    if (answered) return Answer(call);
    Flush();
  }

  // What rests leaves now: its calls are answered, also by a `send` that has been closed. The timer
  // may end after that.
  void WakeAll() {
    std::vector<uint64_t> ids;
    {
      platform::MutexLock lock(mutex_);
      for (const auto& [id, items] : resting_) ids.push_back(id);
    }
    for (const uint64_t id : ids) Wake(id);
  }

 private:
  // kRefused: queued or at rest, after the server had no room for it.
  enum class Place : uint8_t { kQueued, kRefused, kSent, kAnswered };

  struct Call {
    Done done;
    absl::Duration timeout;
    // Guarded by the gatherer's mutex until the call is finished.
    std::vector<std::optional<absl::StatusOr<Result>>> results;
    std::vector<Place> places;
    size_t missing = 0;
    bool finished = false;
    Timer::Id timer = Timer::kNone;
  };

  struct Queued {
    std::shared_ptr<Call> call;
    size_t index;
    Item item;
  };

  struct Sent {
    size_t bytes;
    absl::Duration rested;
  };

  struct Batch {
    std::vector<std::pair<std::shared_ptr<Call>, size_t>> items;
    // The same items, when they may have to be sent again, and what was sent, unless it can be
    // taken back.
    std::vector<Sent> sent;
    std::vector<Payload> copies;
    size_t wanted = 0;  // Items whose calls are not finished.
    std::shared_ptr<Cancellable> rpc;
  };

  void Enqueue(const std::shared_ptr<Call>& call, std::vector<absl::StatusOr<Item>> items)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool full = queued_bytes_ >= limits_.max_queued_bytes;
    call->results.resize(items.size());
    call->places.resize(items.size(), Place::kQueued);
    call->missing = items.size();
    for (size_t i = 0; i < items.size(); ++i) {
      absl::Status refusal = full ? QueueFull() : items[i].status();
      if (refusal.ok() && items[i]->bytes > limits_.max_bytes) refusal = TooLarge(items[i]->bytes);
      if (!refusal.ok()) {
        SetResult(*call, i, std::move(refusal));
        continue;
      }
      queued_bytes_ += items[i]->bytes;
      queue_.push_back({call, i, *std::move(items[i])});
    }
    call->finished = call->missing == 0;
  }

  // Sends the next batch unless one is under way.
  void Flush() {
    auto batch = std::make_shared<Batch>();
    std::vector<Payload> payloads;
    {
      platform::MutexLock lock(mutex_);
      if (under_way_ != nullptr) return;
      payloads = Fill(*batch);
      if (payloads.empty()) return;
      under_way_ = batch;
    }
    auto rpc =
        send_(std::move(payloads),
              BatchDone([this, batch](absl::StatusOr<Results> results, const TakeBack& take_back) {
                OnAnswer(batch, std::move(results), take_back);
              }));
    bool unwanted = false;
    {
      platform::MutexLock lock(mutex_);
      if (under_way_ != batch) return;  // Answered already.
      batch->rpc = rpc;
      unwanted = batch->wanted == 0;
    }
    if (unwanted) rpc->Cancel();
  }

  std::vector<Payload> Fill(Batch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::vector<Payload> payloads;
    size_t bytes = 0;
    while (!queue_.empty() && payloads.size() < limits_.max_items) {
      Queued& next = queue_.front();
      if (!next.call->finished) {
        if (!payloads.empty() && bytes + next.item.bytes > limits_.max_bytes) break;
        bytes += next.item.bytes;
        if (ask_again_ != nullptr) {
          batch.sent.push_back({next.item.bytes, next.item.rested});
          if constexpr (!kGivesBack) batch.copies.push_back(next.item.payload);
        }
        payloads.push_back(std::move(next.item.payload));
        next.call->places[next.index] = Place::kSent;
        batch.items.emplace_back(std::move(next.call), next.index);
      }
      queued_bytes_ -= next.item.bytes;
      queue_.pop_front();
    }
    batch.wanted = batch.items.size();
    return payloads;
  }

  void OnAnswer(const std::shared_ptr<Batch>& batch, absl::StatusOr<Results> results,
                const TakeBack& take_back) {
    if (results.ok() && results->size() != batch->items.size()) {
      results = platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                                absl::StrCat("the server gave ", results->size(), " answers to ",
                                             batch->items.size(), " items"));
    }
    std::vector<Again> again;
    if (results.ok()) again = ToAskAgain(*batch, *results);
    std::vector<std::shared_ptr<Call>> answered;
    {
      platform::MutexLock lock(mutex_);
      under_way_ = nullptr;
      batch->rpc = nullptr;  // It holds the batch in turn.
      Requeue(*batch, again, take_back);
      for (size_t i = 0; i < batch->items.size(); ++i) {
        const auto& [call, index] = batch->items[i];
        if (call->finished || call->places[index] != Place::kSent) continue;
        SetResult(
            *call, index,
            results.ok() ? std::move((*results)[i]) : absl::StatusOr<Result>(results.status()));
        if (call->missing > 0) continue;
        call->finished = true;
        answered.push_back(call);
      }
    }
    Flush();  // First, so that the next batch does not wait for the callbacks of this one.
    for (const auto& call : answered) Answer(call);
  }

  struct Again {
    size_t index;
    absl::Duration rest;
  };

  std::vector<Again> ToAskAgain(const Batch& batch, const Results& results) const {
    std::vector<Again> again;
    size_t at_once = 0;
    for (size_t i = 0; ask_again_ != nullptr && i < results.size(); ++i) {
      const auto rest = ask_again_(results[i]);
      if (!rest.has_value() || batch.sent[i].rested + *rest > limits_.max_rest) continue;
      again.push_back({i, *rest});
      if (*rest == absl::ZeroDuration()) ++at_once;
    }
    if (at_once == results.size()) again.clear();
    return again;
  }

  void Requeue(Batch& batch, const std::vector<Again>& again, const TakeBack& take_back)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    std::map<absl::Duration, std::vector<Queued>> resting;
    for (auto i = again.rbegin(); i != again.rend(); ++i) {
      const auto& [call, index] = batch.items[i->index];
      if (call->finished) continue;  // Nobody wants it any more.
      const bool rests = i->rest > absl::ZeroDuration();
      call->places[index] = rests ? Place::kRefused : Place::kQueued;
      const Sent& sent = batch.sent[i->index];
      KANTOKU_CHECK(!kGivesBack || take_back != nullptr);
      Payload payload = kGivesBack ? take_back(i->index) : std::move(batch.copies[i->index]);
      Queued item{call, index, {std::move(payload), sent.bytes, sent.rested + i->rest}};
      queued_bytes_ += sent.bytes;
      if (rests) {
        resting[i->rest].push_back(std::move(item));
      } else {
        queue_.push_front(std::move(item));
      }
    }
    for (auto& [rest, items] : resting) {
      resting_[++last_rest_] = std::move(items);
      timer_.After(rest, [this, id = last_rest_] { Wake(id); });
    }
  }

  // They go first, as they came before what has been queued since.
  void Wake(uint64_t id) {
    {
      platform::MutexLock lock(mutex_);
      const auto rested = resting_.find(id);
      if (rested == resting_.end()) return;
      for (Queued& item : rested->second) queue_.push_front(std::move(item));
      resting_.erase(rested);
    }
    Flush();
  }

  void Expire(const std::shared_ptr<Call>& call) {
    std::shared_ptr<Cancellable> unwanted;
    {
      platform::MutexLock lock(mutex_);
      if (call->finished) return;
      call->finished = true;
      size_t sent = 0;
      for (size_t i = 0; i < call->results.size(); ++i) {
        if (call->places[i] == Place::kAnswered) continue;
        if (call->places[i] == Place::kSent) ++sent;
        SetResult(*call, i, TimedOut(call->timeout, call->places[i]));
      }
      // Answered batches are no longer under way, so what was sent is in the one that is.
      if (sent > 0 && (under_way_->wanted -= sent) == 0) unwanted = under_way_->rpc;
    }
    if (unwanted != nullptr) unwanted->Cancel();
    Answer(call);
  }

  void SetResult(Call& call, size_t index, absl::StatusOr<Result> result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    call.results[index] = std::move(result);
    call.places[index] = Place::kAnswered;
    --call.missing;
  }

  // `call` is finished, so nobody else touches its results.
  void Answer(const std::shared_ptr<Call>& call) {
    if (call->timer != Timer::kNone) timer_.Cancel(call->timer);
    Results results;
    results.reserve(call->results.size());
    for (auto& result : call->results) results.push_back(*std::move(result));
    std::exchange(call->done, nullptr)(std::move(results));
  }

  static absl::Status QueueFull() {
    return platform::Error(absl::StatusCode::kResourceExhausted, "CLIENT_QUEUE_FULL",
                           "too much is waiting in this client; nothing was sent");
  }
  absl::Status TooLarge(size_t bytes) const {
    return platform::Error(absl::StatusCode::kInvalidArgument, "TOO_LARGE",
                           absl::StrCat("an item of ", bytes, " bytes; at most ", limits_.max_bytes,
                                        " bytes fit into a call"));
  }
  static absl::Status TimedOut(absl::Duration timeout, Place place) {
    const std::string_view outcome = place == Place::kSent ? "whether it was accepted is unknown"
                                     : place == Place::kRefused
                                         ? "there was no room for it, and it was not accepted"
                                         : "it was never sent";
    return platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                           absl::StrCat("no answer within ", absl::FormatDuration(timeout), "; ",
                                        platform::ToAbsl(outcome)));
  }

  const Limits limits_;
  Timer& timer_;
  const Send send_;
  const AskAgain ask_again_;

  platform::Mutex mutex_;
  std::deque<Queued> queue_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<Batch> under_way_ ABSL_GUARDED_BY(mutex_);
  // By number: what rests, each in reverse.
  std::map<uint64_t, std::vector<Queued>> resting_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_rest_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_GATHERER_H_
