#include "services/outputs/item_stream.h"

#include <utility>

#include "services/outputs/wire.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;
using platform::TaskId;
using platform::Transaction;

// What a message holds, unless one item is larger.
constexpr size_t kMessageBytes = size_t{256} << 10;

ResultBook::Presence PresenceOf(AnswerBatch::Kind kind) {
  switch (kind) {
    case AnswerBatch::Kind::kResult:
      return ResultBook::Presence::kHeld;
    case AnswerBatch::Kind::kUnknown:
      return ResultBook::Presence::kAbsent;
    case AnswerBatch::Kind::kGone:
      return ResultBook::Presence::kGone;
    case AnswerBatch::Kind::kDamaged:
      break;
  }
  return ResultBook::Presence::kDamaged;
}

}  // namespace

ItemStream::ItemStream(Call* call, platform::CallMonitor::Method& method,
                       std::shared_ptr<const platform::Identity> caller, Wish wish,
                       std::shared_ptr<Served> served, Metrics& metrics,
                       std::function<void(ItemStream*)> on_ended)
    : call_(call),
      method_(method),
      caller_(std::move(caller)),
      task_(wish.task),
      served_(std::move(served)),
      partition_(served_->partition),
      metrics_(metrics),
      on_ended_(std::move(on_ended)),
      position_(wish.from) {}

void ItemStream::Start() {
  method_.StreamOpened();
  metrics_.readers->Increment();
  {
    MutexLock lock(mutex_);
    self_ = shared_from_this();
  }
  call_->Accept(*this);
  PostOrClose([self = shared_from_this()](OutputsPartition&, Transaction& transaction) {
    self->Open(transaction);
  });
}

void ItemStream::PostOrClose(OutputsPartition::Command command) {
  // Urgent: one at a time for each stream bounds them, and what is there can be read while the
  // store takes no more.
  const absl::Status posted =
      partition_.Post(std::move(command), OutputsPartition::Urgency::kUrgent);
  if (!posted.ok()) Close(posted);
}

void ItemStream::Open(Transaction& transaction) {
  partition_.Follow(task_, shared_from_this());
  stream_ = partition_.OpenStream(shared_from_this());
  const TaskId tasks[] = {task_};
  partition_.Await(stream_, tasks, transaction);
  Read(transaction);
}

void ItemStream::OnItems(Transaction& transaction) { Read(transaction); }

bool ItemStream::Deliver(const AnswerBatch& answers) {
  PostOrClose([self = shared_from_this(), kind = answers.answers().front().kind](
                  OutputsPartition&, Transaction& transaction) {
    self->end_ = kind;
    self->Read(transaction);
  });
  return true;
}

void ItemStream::Read(Transaction& transaction) {
  {
    MutexLock lock(mutex_);
    if (writing_ || closing_.has_value()) return;
  }
  message_ = v1::StreamResponse();  // Cleared, it would keep what the largest items took.
  const auto reading =
      partition_.ReadItems(task_, *caller_, position_, kMessageBytes,
                           [this](const Item& item) { EncodeItem(item, *message_.add_items()); });
  if (!reading.ok()) return Close(reading.status());
  switch (reading->reach) {
    case ItemBook::Reach::kItems:
      return SendItems(*reading);
    case ItemBook::Reach::kInFlight:
      position_ = reading->next;
      restarted_ = restarted_ || reading->restarted;
      return ReadOnceDurable(transaction);
    case ItemBook::Reach::kEnd:
      position_ = reading->next;
      if (end_.has_value()) return SendEnd(transaction);
      if (!greeted_) Send();
  }
}

// Who put them may have found no follower then.
void ItemStream::ReadOnceDurable(Transaction& transaction) {
  if (std::exchange(awaited_, position_).has_value()) return;
  transaction.OnDurable([self = shared_from_this(), awaited = position_] {
    self->PostOrClose([self, awaited](OutputsPartition&, Transaction& later) {
      self->awaited_.reset();
      self->Read(later);
      if (self->awaited_ != awaited) return;
      self->Close(platform::Error(absl::StatusCode::kDataLoss, "ITEMS_DAMAGED",
                                  "items of task " + self->task_.ToString() + " are missing"));
    });
  });
}

void ItemStream::SendItems(const ItemBook::Reading& reading) {
  message_.set_dispatch(reading.dispatch);
  message_.set_first_sequence(reading.first);
  message_.set_restarted(std::exchange(restarted_, false) || reading.restarted);
  position_ = reading.next;
  Send();
}

void ItemStream::SendEnd(Transaction& transaction) {
  absl::Status status = StatusOf(PresenceOf(*end_), task_);
  if (!status.ok()) return Close(status);
  // Looked up again instead of kept, for as long as a slow client may take.
  const TaskId tasks[] = {task_};
  const absl::Status found =
      partition_.Get(tasks, transaction.now().wall,
                     [&](size_t, ResultBook::Presence presence, const StoredResult* result) {
                       status = StatusOf(presence, task_);
                       if (status.ok()) EncodeResult(*result, *message_.mutable_result());
                       return true;
                     });
  if (!found.ok() || !status.ok()) return Close(found.ok() ? status : found);
  // The handler began again and yielded nothing.
  const uint32_t last = message_.result().dispatch();
  if (position_.dispatch > 0 && last > position_.dispatch) {
    message_.set_dispatch(last);
    message_.set_restarted(true);
  }
  Send();
  Close(absl::OkStatus());
}

void ItemStream::Send() {
  {
    MutexLock lock(mutex_);
    if (closing_.has_value()) return;
    writing_ = true;
  }
  greeted_ = true;
  call_->StartWrite(&message_);
}

void ItemStream::OnWriteDone(bool ok) {
  bool finish = false;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    if (!ok && !closing_.has_value()) {
      closing_ = platform::Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left");
    }
    if (closing_.has_value()) {
      finish = !std::exchange(finished_, true);
      status = *closing_;
    }
  }
  if (finish) return call_->Finish(status);
  PostOrClose([self = shared_from_this()](OutputsPartition&, Transaction& transaction) {
    self->Read(transaction);
  });
}

void ItemStream::Close(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    if (!closing_.has_value()) closing_ = status;
    if (writing_ || std::exchange(finished_, true)) return;
  }
  call_->Finish(status);
}

void ItemStream::Abort(const absl::Status& status) {
  {
    MutexLock lock(mutex_);
    // The call lives as long as a message is on its way; that this is so is said under the lock.
    if (writing_) call_->TryCancel();
  }
  Close(status);
}

void ItemStream::OnCancel() {
  Close(platform::Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left"));
}

void ItemStream::OnDone() {
  std::shared_ptr<ItemStream> self;
  absl::Status status;
  {
    MutexLock lock(mutex_);
    self = std::move(self_);
    status = *closing_;
  }
  // Refused only when the partition has ended as well.
  static_cast<void>(partition_.Post(
      [self](OutputsPartition& partition, Transaction&) {
        partition.Unfollow(self->task_, self.get());
        partition.CloseStream(self->stream_);
      },
      OutputsPartition::Urgency::kUrgent));
  metrics_.readers->Decrement();
  on_ended_(this);
  method_.StreamEnded(status);
}

}  // namespace kantoku::outputs
