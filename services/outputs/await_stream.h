#ifndef KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_
#define KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/outputs/await_hub.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/platform/rpc/bidi_stream.h"

namespace kantoku::outputs {

// One Await call. What a client that reads slowly has no room for is not kept: its ids are
// deferred, and looked up again when there is room. It reads a request only when the one before was
// applied and nothing is deferred, so that what a client can make it keep is bounded.
//
// Thread-safe. Owned as CoalescingStream says, and by the hub while it is open.
class AwaitStream final
    : public platform::CoalescingStream<outputs::v1::AwaitRequest, outputs::v1::AwaitResponse>,
      public AwaitSink {
 public:
  // `on_ended` is called last.
  AwaitStream(Call* call, platform::CallMonitor::Method& method,
              const platform::BidiStreamOptions& options,
              std::shared_ptr<const platform::Identity> caller, OutputsPartition& partition,
              Metrics& metrics, std::function<void(AwaitStream*)> on_ended);

  const std::shared_ptr<const platform::Identity>& caller() const override { return caller_; }
  bool Deliver(const AnswerBatch& answers) override;
  void Defer(std::span<const platform::TaskId> tasks) override;
  void Finish() override;
  void Fail(const absl::Status& status) override { Close(status); }

 private:
  using Request = outputs::v1::AwaitRequest;
  static constexpr auto kNever = static_cast<uint64_t>(-1);

  void OnRequest(Request& request) override;
  void OnHalfClosed() override;
  void OnWritable() override;
  void OnEnded(const absl::Status& status) override;

  std::shared_ptr<AwaitStream> self() {
    return std::static_pointer_cast<AwaitStream>(shared_from_this());
  }
  void PostOrClose(OutputsPartition::Command command);
  // Opens the stream in the hub when that is still to be done. On the apply thread.
  AwaitHub::StreamId Opened(OutputsPartition& partition);
  // Sends answers from `begin` on, as many as go well into one message; returns the end of them.
  absl::StatusOr<size_t> PostSome(const AnswerBatch& answers, size_t begin);
  absl::Status AnswerMalformed(const std::string& id, const absl::Status& why);
  void LookUpDeferred();
  void LookUp(std::vector<platform::TaskId> tasks, OutputsPartition& partition,
              platform::Transaction& transaction);
  // Looks up more of what is deferred, if there is room; if nothing is, reads the next request.
  void GoOn();

  const std::shared_ptr<const platform::Identity> caller_;
  OutputsPartition& partition_;
  Metrics& metrics_;
  const std::function<void(AwaitStream*)> on_ended_;

  // Of the apply thread.
  AwaitHub::StreamId stream_ = 0;  // 0 until it is open.
  bool half_closed_ = false;

  platform::Mutex mutex_;
  std::deque<platform::TaskId> deferred_ ABSL_GUARDED_BY(mutex_);
  // How often there was room again, in all and when room was last missing. When they differ, nobody
  // will say so once more.
  uint64_t writable_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t full_at_ ABSL_GUARDED_BY(mutex_) = kNever;
  bool held_back_ ABSL_GUARDED_BY(mutex_) = false;  // The next request is to be read.
  // Look-ups of what was deferred: not applied yet, and not durable yet.
  int looking_up_ ABSL_GUARDED_BY(mutex_) = 0;
  int unsettled_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_
