#include "services/outputs/local_leg.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "services/outputs/wire.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;
using platform::TaskId;
using platform::Transaction;

// So that little is looked up in vain when there is room for little.
constexpr size_t kLookedUpAtOnce = 1024;
constexpr size_t kBytesAtOnce = size_t{256} << 10;
// What an answer takes beside its record: ids, times, tags.
constexpr size_t kAnswerOverhead = 64;

}  // namespace

LocalLeg::LocalLeg(std::shared_ptr<AwaitTrunk> trunk, std::shared_ptr<Served> served,
                   Metrics& metrics)
    : trunk_(std::move(trunk)),
      served_(std::move(served)),
      partition_(served_->partition),
      metrics_(metrics) {}

void LocalLeg::Ask(AwaitWish wish) {
  if (!wish.forgotten.empty()) {
    const absl::flat_hash_set<TaskId> forgotten(wish.forgotten.begin(), wish.forgotten.end());
    MutexLock lock(mutex_);
    const auto erased =
        std::erase_if(deferred_, [&](const TaskId& id) { return forgotten.contains(id); });
    partition_.CountDeferred(-static_cast<int64_t>(erased));
  }
  PostOrClose([self = shared_from_this(), wish = std::move(wish)](OutputsPartition& partition,
                                                                  Transaction& transaction) {
    const AwaitHub::StreamId stream = self->Opened();
    partition.Forget(stream, wish.forgotten);
    partition.Await(stream, wish.added, transaction);
    {
      MutexLock lock(self->mutex_);
      self->held_back_ = true;
    }
    self->GoOn();
  });
}

void LocalLeg::EndWhenIdle() {
  PostOrClose([self = shared_from_this()](OutputsPartition& partition, Transaction&) {
    self->half_closed_ = true;
    partition.EndStreamWhenIdle(self->Opened());
  });
}

void LocalLeg::Leave() {
  {
    MutexLock lock(mutex_);
    left_ = true;
    partition_.CountDeferred(-static_cast<int64_t>(deferred_.size()));
    deferred_.clear();
  }
  // Refused only when the partition has ended as well.
  static_cast<void>(partition_.Post(
      [self = shared_from_this()](OutputsPartition& partition, Transaction&) {
        partition.CloseStream(self->stream_);
      },
      OutputsPartition::Urgency::kUrgent));
}

void LocalLeg::PostOrClose(OutputsPartition::Command command) {
  // Urgent: one at a time for each stream bounds them, and what is there can be read while the
  // store takes no more.
  const absl::Status posted =
      partition_.Post(std::move(command), OutputsPartition::Urgency::kUrgent);
  if (!posted.ok()) trunk_->Close(posted);
}

AwaitHub::StreamId LocalLeg::Opened() {
  if (stream_ == 0) stream_ = partition_.OpenStream(shared_from_this());
  return stream_;
}

absl::StatusOr<size_t> LocalLeg::PostSome(const AnswerBatch& answers, size_t begin) {
  const auto& all = answers.answers();
  size_t end = begin;
  size_t bytes = 0;
  for (; end < all.size() && bytes < kBytesAtOnce; ++end) bytes += all[end].size + kAnswerOverhead;
  KANTOKU_RETURN_IF_ERROR(trunk_->Post(bytes, [&](outputs::v1::AwaitResponse& response) {
    for (size_t i = begin; i < end; ++i) EncodeAnswer(answers, all[i], *response.add_results());
  }));
  return end;
}

bool LocalLeg::Deliver(const AnswerBatch& answers) {
  uint64_t writable = 0;
  {
    MutexLock lock(mutex_);
    writable = writable_;
  }
  const auto& all = answers.answers();
  size_t sent = 0;
  while (sent < all.size()) {
    const auto end = PostSome(answers, sent);
    if (!end.ok()) break;
    sent = *end;
  }
  metrics_.answered->Increment(static_cast<double>(sent));
  if (sent == all.size()) return true;
  std::vector<TaskId> rest;
  for (size_t i = sent; i < all.size(); ++i) rest.push_back(all[i].task);
  {
    MutexLock lock(mutex_);
    full_at_ = writable;
  }
  Defer(rest);
  return false;
}

void LocalLeg::Defer(std::span<const TaskId> tasks) {
  bool room = false;
  {
    MutexLock lock(mutex_);
    if (left_) return;
    deferred_.insert(deferred_.end(), tasks.begin(), tasks.end());
    partition_.CountDeferred(static_cast<int64_t>(tasks.size()));
    room = writable_ != full_at_;
  }
  if (room) LookUpDeferred();
}

void LocalLeg::OnWritable() {
  {
    MutexLock lock(mutex_);
    ++writable_;
  }
  LookUpDeferred();
}

void LocalLeg::LookUpDeferred() {
  std::vector<TaskId> tasks;
  {
    MutexLock lock(mutex_);
    if (deferred_.empty()) return;
    const auto end = deferred_.begin() + std::min(deferred_.size(), kLookedUpAtOnce);
    tasks.assign(deferred_.begin(), end);
    deferred_.erase(deferred_.begin(), end);
    ++looking_up_;
    ++unsettled_;
  }
  PostOrClose([self = shared_from_this(), tasks = std::move(tasks)](
                  OutputsPartition&, Transaction& transaction) mutable {
    self->LookUp(std::move(tasks), transaction);
  });
}

void LocalLeg::LookUp(std::vector<TaskId> tasks, Transaction& transaction) {
  partition_.CountDeferred(-static_cast<int64_t>(tasks.size()));
  partition_.Await(stream_, tasks, transaction);
  {
    MutexLock lock(mutex_);
    --looking_up_;
  }
  GoOn();
  // A Finish of an earlier group does not know of these tasks. The one that is asked for here comes
  // after this one's release.
  transaction.OnDurable([self = shared_from_this()] {
    MutexLock lock(self->mutex_);
    --self->unsettled_;
  });
  if (half_closed_) partition_.EndStreamWhenIdle(stream_);
}

void LocalLeg::GoOn() {
  bool look_up = false;
  {
    MutexLock lock(mutex_);
    if (looking_up_ > 0) return;
    look_up = !deferred_.empty();
    if (look_up ? writable_ == full_at_ : !held_back_) return;
    if (!look_up) held_back_ = false;
  }
  if (look_up) {
    LookUpDeferred();
  } else {
    trunk_->LegReady();
  }
}

void LocalLeg::Finish() {
  {
    MutexLock lock(mutex_);
    if (!deferred_.empty() || unsettled_ > 0 || std::exchange(finished_, true)) return;
  }
  trunk_->LegEnded();
}

}  // namespace kantoku::outputs
