#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_ITEM_QUEUE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_ITEM_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/executor-runtime/backoff.h"
#include "services/executor-runtime/held_task.h"
#include "services/executor-runtime/ledger.h"
#include "services/executor-runtime/put_queue.h"
#include "services/platform/ids.h"

namespace kantoku::executor {

// Items on their way to Outputs: for each dispatch a bounded window of those that are not durable
// yet, in their order. While one PutItems is under way others gather, of all dispatches, and leave
// together in the next. What Outputs could not take for now is sent again, from the first item that
// is not known to be durable; so nothing is stored twice and nothing is left out. A result waits
// here until the items before it are durable, and then goes into `puts`. Pure: the caller makes the
// calls.
//
// Thread-compatible. Refusals go to `ledger`; it and `puts` outlive the queue.
class ItemQueue {
 public:
  static constexpr size_t kWindowItems = 1000;
  static constexpr size_t kWindowBytes = size_t{1} << 20;

  ItemQueue(Ledger& ledger, PutQueue& puts, const platform::SessionId& session,
            std::function<uint64_t()> random);

  // Whether the dispatch's window takes an item of so many bytes; an empty one takes any.
  bool HasRoom(const HeldTask& task, size_t bytes) const;
  // `task` runs, and its window has room.
  void Add(const HeldTaskPtr& task, Result item);
  // Whether items of the dispatch are not durable yet.
  bool Holds(const HeldTask& task) const;

  // The handler has returned this; `task` is in phase kPutting.
  void Finish(HeldTaskPtr task, Result result);
  // The handler has returned, and nothing of its dispatch is to be put.
  void Drop(const HeldTask& task) { windows_.erase(task.key); }
  // Whether windows have become emptier since this was asked last.
  bool TakeRoomMade() { return std::exchange(room_made_, false); }

  // As PutQueue's.
  void OnTime(absl::Duration now);
  bool Ready(absl::Duration now) const {
    return !in_flight_ && !waiting_.empty() && now >= retry_at_;
  }
  absl::Duration next_time() const;
  bool Fill(outputs::v1::PutItemsRequest& request);
  void OnAnswer(const absl::Status& status, outputs::v1::PutItemsRequest& request,
                const outputs::v1::PutItemsResponse& response, absl::Duration now);

  // Of the call under way, roughly.
  size_t sent_bytes() const { return sent_bytes_; }

 private:
  struct Window {
    HeldTaskPtr task;
    std::deque<Result> items;  // Those that are sent lie in the request meanwhile.
    uint64_t first = 1;        // Number of the first of them.
    size_t bytes = 0;          // Of all of them.
    std::optional<Result> result;
    bool waits = false;         // Its key is in `waiting_`.
    std::string refused_token;  // Not empty: waits for Inputs to renew its lease until `until`.
    absl::Duration until;
  };

  Window* Find(const DispatchKey& key);
  void Enqueue(Window& window);
  void FillBatch(Window& window, outputs::v1::ItemBatch& batch);
  // Takes back what was sent and is not durable.
  void TakeBack(Window& window, outputs::v1::ItemBatch& batch);
  // Returns whether the batch is to be sent again after a pause.
  bool OnBatch(Window& window, const outputs::v1::ItemBatch& batch,
               const outputs::v1::ItemBatchResult& result, absl::Duration now);
  void OnDurable(Window& window, uint64_t sequence);
  void Refuse(Window& window, absl::StatusCode code, std::string reason, std::string message);
  // Goes on with a window after its answer.
  void GoOn(Window& window);

  Ledger& ledger_;
  PutQueue& puts_;
  const platform::SessionId session_;
  const std::function<uint64_t()> random_;
  absl::flat_hash_map<DispatchKey, std::unique_ptr<Window>> windows_;
  std::deque<DispatchKey> waiting_;
  std::vector<DispatchKey> sent_;
  std::deque<DispatchKey> unleased_;  // The first was refused first.
  size_t sent_bytes_ = 0;
  bool in_flight_ = false;
  bool room_made_ = false;
  int alone_ = 0;  // How many of the next batches leave one by one.
  Backoff backoff_;
  absl::Duration retry_at_ = absl::ZeroDuration();
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_ITEM_QUEUE_H_
