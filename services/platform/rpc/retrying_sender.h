#ifndef KANTOKU_SERVICES_PLATFORM_RPC_RETRYING_SENDER_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_RETRYING_SENDER_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// Hands items to another service in batches, in order, and repeats a batch with growing pauses
// until it is taken: while one batch is under way the next gathers.
//
// Thread-safe. Owns one thread, on which `send` runs; `clock` outlives it. When more than
// `max_bytes` wait, the oldest that are not under way leave; what was added for later does not
// count until then.
template <typename Item>
class RetryingSender {
 public:
  struct Options {
    size_t max_batch_items = 10'000;
    size_t max_batch_bytes = size_t{4} << 20;
    size_t max_bytes = SIZE_MAX;
    // From the beginning of one batch to the next, unless that is full: more gathers meanwhile.
    absl::Duration interval = absl::ZeroDuration();
    absl::Duration first_pause = absl::Milliseconds(20);
    absl::Duration longest_pause = absl::Seconds(2);
    absl::Duration later = absl::Seconds(2);  // When AddLater's turn comes.
    // Told of each change between OK and an error of `send`; on its thread. Must not block.
    std::function<void(const absl::Status&)> on_state;
  };
  // OK: taken. Anything else: try again. Blocks no longer than its own deadline.
  using Send = std::function<absl::Status(const std::vector<Item>&)>;

  RetryingSender(const Options& options, Clock& clock, Send send)
      : options_(options), clock_(clock), send_(std::move(send)), thread_([this] { Run(); }) {}
  ~RetryingSender() { Stop(); }

  // How many items left for it.
  size_t Add(Item item, size_t bytes) {
    std::vector<std::pair<Item, size_t>> items;
    items.emplace_back(std::move(item), bytes);
    return AddAll(std::move(items));
  }
  // Several, with their bytes, that leave together as far as a batch has room.
  size_t AddAll(std::vector<std::pair<Item, size_t>> items) {
    bool wake = false;
    size_t dropped = 0;
    {
      MutexLock lock(mutex_);
      const bool idle = waiting_.empty();
      for (auto& [item, bytes] : items) {
        waiting_.push_back({std::move(item), bytes});
        waiting_bytes_ += bytes;
      }
      // While it waits for the interval, there is nothing to wake for but a full batch.
      wake = (idle && !waiting_.empty()) || IsFull();
      while (waiting_bytes_ > options_.max_bytes && waiting_.size() > 1) {
        waiting_bytes_ -= waiting_.front().bytes;
        waiting_.pop_front();
        ++dropped;
      }
    }
    if (wake) changed_.Signal();
    return dropped;
  }

  // As Add, after a while: for an item of a batch that was taken but for this one, so that it does
  // not hold up the others.
  void AddLater(Item item, size_t bytes) {
    {
      MutexLock lock(mutex_);
      later_.push_back({clock_.Read().steady + options_.later, {std::move(item), bytes}});
    }
    changed_.Signal();
  }

  // Waits until all that was added, but for what is for later, is taken. False when `within` was
  // over before, or Stop was called.
  bool Flush(absl::Duration within) {
    const absl::Duration end = clock_.Read().steady + within;
    MutexLock lock(mutex_);
    while (sending_ || !waiting_.empty()) {
      if (stopping_ || clock_.Read().steady >= end) return false;
      clock_.Wait(mutex_, taken_, end);
    }
    return true;
  }

  // What waits is dropped. Idempotent.
  void Stop() {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.SignalAll();
    taken_.SignalAll();
    if (thread_.joinable()) thread_.join();
  }

 private:
  struct Entry {
    Item item;
    size_t bytes;
  };
  struct LaterEntry {
    absl::Duration due;
    Entry entry;
  };

  void Run() {
    for (std::vector<Item> batch = Next(); !batch.empty(); batch = Next()) {
      for (absl::Duration pause = options_.first_pause; !SendNow(batch);
           pause = std::min(2 * pause, options_.longest_pause)) {
        if (!Pause(pause)) return;
      }
    }
  }

  bool SendNow(const std::vector<Item>& batch) {
    const absl::Status status = send_(batch);
    if (std::exchange(sends_, status.ok()) != status.ok() && options_.on_state) {
      options_.on_state(status);
    }
    return status.ok();
  }

  // Empty when it is time to stop.
  std::vector<Item> Next() {
    MutexLock lock(mutex_);
    sending_ = false;
    if (waiting_.empty()) taken_.SignalAll();
    for (TakeDue(); !stopping_ && waiting_.empty(); TakeDue()) {
      clock_.Wait(mutex_, changed_, later_.empty() ? absl::InfiniteDuration() : later_.front().due);
    }
    while (!stopping_ && !IsFull() && clock_.Read().steady < next_batch_) {
      clock_.Wait(mutex_, changed_, next_batch_);
    }
    next_batch_ = clock_.Read().steady + options_.interval;
    std::vector<Item> batch;
    size_t bytes = 0;
    while (!stopping_ && !waiting_.empty() && batch.size() < options_.max_batch_items &&
           (batch.empty() || bytes + waiting_.front().bytes <= options_.max_batch_bytes)) {
      bytes += waiting_.front().bytes;
      batch.push_back(std::move(waiting_.front().item));
      waiting_.pop_front();
    }
    waiting_bytes_ -= bytes;
    sending_ = !batch.empty();
    return batch;
  }

  void TakeDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!later_.empty() && later_.front().due <= clock_.Read().steady) {
      waiting_bytes_ += later_.front().entry.bytes;
      waiting_.push_back(std::move(later_.front().entry));
      later_.pop_front();
    }
  }

  bool IsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return waiting_.size() >= options_.max_batch_items ||
           waiting_bytes_ >= options_.max_batch_bytes;
  }

  // False when it is time to stop.
  bool Pause(absl::Duration pause) {
    MutexLock lock(mutex_);
    const absl::Duration end = clock_.Read().steady + pause;
    while (!stopping_ && clock_.Read().steady < end) clock_.Wait(mutex_, changed_, end);
    return !stopping_;
  }

  const Options options_;
  Clock& clock_;
  const Send send_;
  Mutex mutex_;
  CondVar changed_;
  CondVar taken_;  // For Flush.
  std::deque<Entry> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<LaterEntry> later_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Duration next_batch_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  bool sending_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool sends_ = true;  // Whether it did last time; of the thread.
  std::thread thread_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_RETRYING_SENDER_H_
