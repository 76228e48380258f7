#ifndef KANTOKU_SERVICES_OUTPUTS_ITEM_STREAM_H_
#define KANTOKU_SERVICES_OUTPUTS_ITEM_STREAM_H_

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/outputs/await_hub.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/served.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/stream_call.h"

namespace kantoku::outputs {

// One Stream call: reads a task's items from the store, a message at a time, and waits for the
// task's end as an Await call does. While a message is on its way nothing is read for it, so that a
// slow client costs one message and no thread.
//
//   reading ──items──▸ writing ──written──▸ reading        (until there are none)
//   reading ──none──▸ parked ──more became durable──▸ reading
//   reading ──none, and the end is known──▸ result, finished
//
// Thread-safe. Owns itself from Start until after the call's end; the partition owns it, too, while
// it follows.
class ItemStream final : public std::enable_shared_from_this<ItemStream>,
                         public AwaitSink,
                         public ItemFollower,
                         private platform::StreamCall::Handler {
 public:
  using Call = platform::ServerStreamCall<outputs::v1::StreamRequest, outputs::v1::StreamResponse>;

  struct Wish {
    platform::TaskId task;
    ItemPosition from;
  };

  // `on_ended` is called last.
  ItemStream(Call* call, platform::CallMonitor::Method& method,
             std::shared_ptr<const platform::Identity> caller, Wish wish,
             std::shared_ptr<Served> served, Metrics& metrics,
             std::function<void(ItemStream*)> on_ended);

  // Once.
  void Start();
  // Ends the stream after the message that is on its way. Idempotent.
  void Close(const absl::Status& status);
  // The same, without waiting for a client that does not read.
  void Abort(const absl::Status& status);

  const std::shared_ptr<const platform::Identity>& caller() const override { return caller_; }
  void OnItems(platform::Transaction& transaction) override;

 private:
  bool Deliver(const AnswerBatch& answers) override;
  // It always has room for its one answer.
  void Defer(std::span<const platform::TaskId>) override {}
  void Finish() override {}
  void Fail(const absl::Status& status) override { Close(status); }

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnRefused(const absl::Status& why) override { Close(why); }
  void OnDone() override;

  void PostOrClose(OutputsPartition::Command command);
  // The following are of the apply thread.
  void Open(platform::Transaction& transaction);
  // Goes on, unless a message is on its way.
  void Read(platform::Transaction& transaction);
  void ReadOnceDurable(platform::Transaction& transaction);
  void SendItems(const ItemBook::Reading& reading);
  // There are no more items, and how the task ended is known.
  void SendEnd(platform::Transaction& transaction);
  void Send();

  Call* const call_;
  platform::CallMonitor::Method& method_;
  const std::shared_ptr<const platform::Identity> caller_;
  const platform::TaskId task_;
  const std::shared_ptr<Served> served_;
  OutputsPartition& partition_;  // Of `served_`.
  Metrics& metrics_;
  const std::function<void(ItemStream*)> on_ended_;

  // Of the apply thread.
  AwaitHub::StreamId stream_ = 0;  // 0 until it is open.
  ItemPosition position_;
  bool restarted_ = false;               // The next item is the first of a later dispatch.
  bool greeted_ = false;                 // A message was sent: the client knows that it is heard.
  std::optional<ItemPosition> awaited_;  // What the store did not show yet.
  std::optional<AnswerBatch::Kind> end_;
  // Belongs to gRPC while `writing_`.
  outputs::v1::StreamResponse message_;

  platform::Mutex mutex_;
  std::shared_ptr<ItemStream> self_ ABSL_GUARDED_BY(mutex_);  // From Start to OnDone.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> closing_ ABSL_GUARDED_BY(mutex_);  // Set once.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_ITEM_STREAM_H_
