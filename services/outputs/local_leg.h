#ifndef KANTOKU_SERVICES_OUTPUTS_LOCAL_LEG_H_
#define KANTOKU_SERVICES_OUTPUTS_LOCAL_LEG_H_

#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "services/outputs/await_hub.h"
#include "services/outputs/await_leg.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/served.h"
#include "services/platform/mutex.h"

namespace kantoku::outputs {

// The leg to a partition of this process. What a client that reads slowly has no room for is not
// kept: its ids are deferred, and looked up again when there is room. It is ready for more when
// what it was asked was applied and nothing is deferred, so that what a client can make it keep is
// bounded.
//
// Thread-safe. Owned by the trunk, and by the hub while it is open.
class LocalLeg final : public AwaitLeg,
                       public AwaitSink,
                       public std::enable_shared_from_this<LocalLeg> {
 public:
  LocalLeg(std::shared_ptr<AwaitTrunk> trunk, std::shared_ptr<Served> served, Metrics& metrics);

  void Ask(AwaitWish wish) override;
  void EndWhenIdle() override;
  void OnWritable() override;
  void Leave() override;

  const std::shared_ptr<const platform::Identity>& caller() const override {
    return trunk_->caller();
  }
  bool Deliver(const AnswerBatch& answers) override;
  void Defer(std::span<const platform::TaskId> tasks) override;
  void Finish() override;
  void Fail(const absl::Status& status) override { trunk_->Close(status); }

 private:
  static constexpr auto kNever = static_cast<uint64_t>(-1);

  void PostOrClose(OutputsPartition::Command command);
  // Opens the stream in the hub when that is still to be done. On the apply thread.
  AwaitHub::StreamId Opened();
  // Sends answers from `begin` on, as many as go well into one message; returns the end of them.
  absl::StatusOr<size_t> PostSome(const AnswerBatch& answers, size_t begin);
  void LookUpDeferred();
  void LookUp(std::vector<platform::TaskId> tasks, platform::Transaction& transaction);
  // Looks up more of what is deferred, if there is room; if nothing is, is ready for more.
  void GoOn();

  const std::shared_ptr<AwaitTrunk> trunk_;
  const std::shared_ptr<Served> served_;
  OutputsPartition& partition_;  // Of `served_`.
  Metrics& metrics_;

  // Of the apply thread.
  AwaitHub::StreamId stream_ = 0;  // 0 until it is open.
  bool half_closed_ = false;

  platform::Mutex mutex_;
  std::deque<platform::TaskId> deferred_ ABSL_GUARDED_BY(mutex_);
  // How often there was room again, in all and when room was last missing. When they differ, nobody
  // will say so once more.
  uint64_t writable_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t full_at_ ABSL_GUARDED_BY(mutex_) = kNever;
  bool held_back_ ABSL_GUARDED_BY(mutex_) = false;  // The trunk is to hear that it is ready.
  // Look-ups of what was deferred: not applied yet, and not durable yet.
  int looking_up_ ABSL_GUARDED_BY(mutex_) = 0;
  int unsettled_ ABSL_GUARDED_BY(mutex_) = 0;
  bool left_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // The trunk has heard that it ended.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_LOCAL_LEG_H_
