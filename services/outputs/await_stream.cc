#include "services/outputs/await_stream.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/outputs/wire.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;
using platform::TaskId;
using platform::Transaction;

constexpr int kMaxIdsPerRequest = 10'000;
// So that little is looked up in vain when there is room for little.
constexpr size_t kLookedUpAtOnce = 1024;
constexpr size_t kBytesAtOnce = size_t{256} << 10;
// What an answer takes beside its record: ids, times, tags.
constexpr size_t kAnswerOverhead = 64;

}  // namespace

AwaitStream::AwaitStream(Call* call, platform::CallMonitor::Method& method,
                         const platform::BidiStreamOptions& options,
                         std::shared_ptr<const platform::Identity> caller,
                         OutputsPartition& partition, Metrics& metrics,
                         std::function<void(AwaitStream*)> on_ended)
    : CoalescingStream(call, method, options),
      caller_(std::move(caller)),
      partition_(partition),
      metrics_(metrics),
      on_ended_(std::move(on_ended)) {}

void AwaitStream::OnRequest(Request& request) {
  if (request.task_ids_size() > kMaxIdsPerRequest) {
    return Close(platform::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_IDS",
                                 absl::StrCat("task_ids has ", request.task_ids_size(),
                                              " ids; a request may have ", kMaxIdsPerRequest)));
  }
  std::vector<TaskId> added;
  added.reserve(request.task_ids_size());
  for (const std::string& bytes : request.task_ids()) {
    if (const auto id = TaskId::FromBytes(bytes); id.ok()) {
      added.push_back(*id);
    } else if (const absl::Status said = AnswerMalformed(bytes, id.status()); !said.ok()) {
      return Close(said);
    }
  }
  std::vector<TaskId> forgotten;
  for (const std::string& bytes : request.forget()) {
    if (const auto id = TaskId::FromBytes(bytes); id.ok()) forgotten.push_back(*id);
  }
  if (!forgotten.empty()) {
    const absl::flat_hash_set<TaskId> ids(forgotten.begin(), forgotten.end());
    MutexLock lock(mutex_);
    const auto erased =
        std::erase_if(deferred_, [&](const TaskId& id) { return ids.contains(id); });
    partition_.CountDeferred(-static_cast<int64_t>(erased));
  }
  PauseReading();
  PostOrClose([self = self(), added = std::move(added), forgotten = std::move(forgotten)](
                  OutputsPartition& partition, Transaction& transaction) {
    const AwaitHub::StreamId stream = self->Opened(partition);
    partition.Forget(stream, forgotten);
    partition.Await(stream, added, transaction);
    {
      MutexLock lock(self->mutex_);
      self->held_back_ = true;
    }
    self->GoOn();
  });
}

void AwaitStream::OnHalfClosed() {
  PostOrClose([self = self()](OutputsPartition& partition, Transaction&) {
    self->half_closed_ = true;
    partition.EndStreamWhenIdle(self->Opened(partition));
  });
}

void AwaitStream::OnEnded(const absl::Status& /*status*/) {
  {
    MutexLock lock(mutex_);
    ended_ = true;
    partition_.CountDeferred(-static_cast<int64_t>(deferred_.size()));
    deferred_.clear();
  }
  // Refused only when the partition has ended as well.
  static_cast<void>(
      partition_.Post([self = self()](OutputsPartition& partition,
                                      Transaction&) { partition.CloseStream(self->stream_); },
                      OutputsPartition::Urgency::kUrgent));
  on_ended_(this);
}

void AwaitStream::PostOrClose(OutputsPartition::Command command) {
  // Urgent: one at a time for each stream bounds them, and what is there can be read while the
  // store takes no more.
  const absl::Status posted =
      partition_.Post(std::move(command), OutputsPartition::Urgency::kUrgent);
  if (!posted.ok()) Close(posted);
}

AwaitHub::StreamId AwaitStream::Opened(OutputsPartition& partition) {
  if (stream_ == 0) stream_ = partition.OpenStream(self());
  return stream_;
}

absl::Status AwaitStream::AnswerMalformed(const std::string& id, const absl::Status& why) {
  return Post(id.size() + kAnswerOverhead, [&](outputs::v1::AwaitResponse& response) {
    auto& result = *response.add_results();
    result.set_task_id(id);
    EncodeStatus(why, *result.mutable_status());
  });
}

absl::StatusOr<size_t> AwaitStream::PostSome(const AnswerBatch& answers, size_t begin) {
  const auto& all = answers.answers();
  size_t end = begin;
  size_t bytes = 0;
  for (; end < all.size() && bytes < kBytesAtOnce; ++end) bytes += all[end].size + kAnswerOverhead;
  KANTOKU_RETURN_IF_ERROR(Post(bytes, [&](outputs::v1::AwaitResponse& response) {
    for (size_t i = begin; i < end; ++i) EncodeAnswer(answers, all[i], *response.add_results());
  }));
  return end;
}

bool AwaitStream::Deliver(const AnswerBatch& answers) {
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

void AwaitStream::Defer(std::span<const TaskId> tasks) {
  bool room = false;
  {
    MutexLock lock(mutex_);
    if (ended_) return;
    deferred_.insert(deferred_.end(), tasks.begin(), tasks.end());
    partition_.CountDeferred(static_cast<int64_t>(tasks.size()));
    room = writable_ != full_at_;
  }
  if (room) LookUpDeferred();
}

void AwaitStream::OnWritable() {
  {
    MutexLock lock(mutex_);
    ++writable_;
  }
  LookUpDeferred();
}

void AwaitStream::LookUpDeferred() {
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
  PostOrClose([self = self(), tasks = std::move(tasks)](OutputsPartition& partition,
                                                        Transaction& transaction) mutable {
    self->LookUp(std::move(tasks), partition, transaction);
  });
}

void AwaitStream::LookUp(std::vector<TaskId> tasks, OutputsPartition& partition,
                         Transaction& transaction) {
  partition.CountDeferred(-static_cast<int64_t>(tasks.size()));
  partition.Await(stream_, tasks, transaction);
  {
    MutexLock lock(mutex_);
    --looking_up_;
  }
  GoOn();
  // A Finish of an earlier group does not know of these tasks. The one that is asked for here comes
  // after this one's release.
  transaction.OnDurable([self = self()] {
    MutexLock lock(self->mutex_);
    --self->unsettled_;
  });
  if (half_closed_) partition.EndStreamWhenIdle(stream_);
}

void AwaitStream::GoOn() {
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
    ResumeReading();
  }
}

void AwaitStream::Finish() {
  {
    MutexLock lock(mutex_);
    if (!deferred_.empty() || unsettled_ > 0) return;
  }
  Close(absl::OkStatus());
}

}  // namespace kantoku::outputs
