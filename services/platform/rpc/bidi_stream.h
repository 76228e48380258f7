#ifndef KANTOKU_SERVICES_PLATFORM_RPC_BIDI_STREAM_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_BIDI_STREAM_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/platform/check.h"
#include "services/platform/message_pool.h"
#include "services/platform/mutex.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/byte_budget.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/encoded.h"
#include "services/platform/rpc/received.h"
#include "services/platform/rpc/stream_call.h"
#include "services/platform/status.h"

namespace kantoku::platform {

// Of messages in which a client shows newer access tokens when it is asked to
// (auth/v1/stream.proto).
template <typename Request, typename Response>
concept RenewsTokens = requires(Request& request, Response& response) {
  MessageOf(request).mutable_access_token();
  response.mutable_token_wanted();
};

struct BidiStreamOptions {
  size_t max_pending_bytes = size_t{16} << 20;  // Post refuses while this much waits.
  size_t max_message_bytes = size_t{1} << 20;   // What waits is cut into messages of this size.
  // Of what waits or is on its way in several streams; outlives them. While it is full Post refuses
  // in streams that have something under way: each still gets one thing after the other out.
  ByteBudget* budget = nullptr;
};

// The server's side of a bidirectional stream that gathers what is to be said: whatever was posted
// while a message was on its way goes out as one message afterwards. Derive, override OnRequest,
// and let the method of the service be `std::make_shared<MyStream>(call, …)->Start();`.
//
// Guarantees: messages leave in the order of Post. The stream finishes once, with the first status
// that Close or Abort was given, or that says why the client is let in no more (CANCELLED when it
// left before). The On… functions run on the thread of the call's queue, one at a time and with no
// lock held, OnEnded last. They must not block. Access tokens within the stream it asks for and
// takes by itself, where its messages have them: OnRequest does not see them.
//
// Thread-safe. Owns itself from Start until after OnEnded; others hold it by shared_ptr (or a
// weak_ptr that they lock for a call), so that a call on a stream that has ended is harmless.
template <typename Request, typename Response>
class CoalescingStream : public std::enable_shared_from_this<CoalescingStream<Request, Response>>,
                         private StreamCall::Handler {
 public:
  using Call = BidiCall<Request, Encoded<Response>>;

  CoalescingStream(Call* call, CallMonitor::Method& method, const BidiStreamOptions& options = {})
      : call_(call), method_(method), options_(options) {}
  CoalescingStream(const CoalescingStream&) = delete;
  CoalescingStream& operator=(const CoalescingStream&) = delete;

  // Begins to read and write. Once. `first` is a request that was read already (first_request.h),
  // and is delivered before this returns.
  void Start(std::optional<Request> first = std::nullopt) {
    method_.StreamOpened();
    call_->Accept(*this);
    {
      MutexLock lock(mutex_);
      KANTOKU_CHECK(!started_);
      started_ = true;
      reading_ = first.has_value();
      self_ = this->shared_from_this();
    }
    if (!first.has_value()) return Advance();
    request_ = *std::move(first);
    OnReadDone(true);
  }

  // Calls `fill(Response&)` with an empty message, which is merged into the one that leaves next;
  // `bytes` is about what it adds. It runs at once, under the stream's lock: it only fills.
  //
  // RESOURCE_EXHAUSTED, STREAM_FULL: too much is waiting, here or in all streams of the budget;
  // nothing was appended; OnWritable will be called. UNAVAILABLE, STREAM_CLOSED: the stream is
  // closing or has ended.
  template <typename Fill>
  absl::Status Post(size_t bytes, Fill&& fill) {
    return PostWith(bytes, [&](Encoded<Response>& next, ReusedMessage<Response>& scratch) {
      MergeFilled(std::forward<Fill>(fill), scratch, next);
    });
  }

  // The same; `append(Encoded<Response>&)` appends to the message that leaves next.
  template <typename Append>
  absl::Status PostEncoded(size_t bytes, Append&& append) {
    return PostWith(bytes, [&](Encoded<Response>& next, ReusedMessage<Response>&) {
      std::forward<Append>(append)(next);
    });
  }

  // Writes what waits, then finishes. No request is delivered any more. Idempotent.
  void Close(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (!closing_.has_value()) closing_ = status;
    }
    Advance();
  }

  // As Close, but a client that does not read what waits sees CANCELLED instead of `status`, a
  // second later. Idempotent, also after Close.
  void CloseSoon(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (!closing_.has_value()) closing_ = status;
      ++operations_;  // Keeps the call alive: no finish, no end.
    }
    call_->EndSoon();
    {
      MutexLock lock(mutex_);
      --operations_;
    }
    Advance();
  }

  // As Close, but drops what waits, and does not wait for a client that does not read: if a message
  // is stuck on its way, the client sees CANCELLED instead of `status`. Idempotent, also after
  // Close.
  void Abort(const absl::Status& status) {
    bool stuck = false;
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      CloseAndDrop(status);
      stuck = writing_;
      if (stuck) ++operations_;  // Keeps the context alive: no finish, no end.
    }
    if (stuck) {
      call_->TryCancel();
      MutexLock lock(mutex_);
      --operations_;
    }
    Advance();
  }

  // As Call::NoteRefusedItem, of the request that is being delivered. From OnRequest alone.
  template <typename Items, typename StatusOf>
  void NoteRefusedItem(const Items& items, StatusOf status_of) const {
    call_->NoteRefusedItem(items, std::move(status_of));
  }

  // Lets the client wait: after the request that is being delivered, none is, until Resume.
  void PauseReading() {
    MutexLock lock(mutex_);
    paused_ = true;
  }
  void ResumeReading() {
    {
      MutexLock lock(mutex_);
      paused_ = false;
    }
    Advance();
  }

 protected:
  virtual ~CoalescingStream() = default;

  // A request came. It may be moved from; the next is read after this returns.
  virtual void OnRequest(Request& request) = 0;
  // The request that OnRequest gets next came with this token, which was taken.
  virtual void OnToken(std::string_view token) { static_cast<void>(token); }
  // The client will send no more, or its connection broke (then OnEnded follows by itself).
  virtual void OnHalfClosed() { Close(absl::OkStatus()); }
  // After Post has refused: half of the room is free again, and the budget has some or nothing of
  // this stream is under way.
  virtual void OnWritable() {}
  // A message has left, with as many bytes as Post was told of.
  virtual void OnWritten(size_t bytes) { static_cast<void>(bytes); }
  // The stream is over and nothing of it is called any more; `status` is what it finished with.
  virtual void OnEnded(const absl::Status& status) { static_cast<void>(status); }

 private:
  struct Message {
    Encoded<Response> encoded;
    size_t bytes = 0;  // As Post was told.
  };

  // `append(next, scratch)` under the lock.
  template <typename Append>
  absl::Status PostWith(size_t bytes, Append append) {
    {
      MutexLock lock(mutex_);
      if (closing_.has_value()) {
        return Error(absl::StatusCode::kUnavailable, "STREAM_CLOSED", "the stream is closed");
      }
      if (pending_bytes_ >= options_.max_pending_bytes || BudgetIsFull()) {
        refused_ = true;
        return Error(absl::StatusCode::kResourceExhausted, "STREAM_FULL",
                     "the client reads more slowly than there is to say");
      }
      append(RoomFor(bytes), scratch_);
      if (writing_) return absl::OkStatus();
    }
    Advance();
    return absl::OkStatus();
  }

  template <typename Fill>
  static void MergeFilled(Fill&& fill, ReusedMessage<Response>& scratch, Encoded<Response>& next) {
    const size_t before = next.bytes().size();
    std::forward<Fill>(fill)(*scratch);
    next.Merge(*scratch);
    scratch.Clear(next.bytes().size() - before);
  }

  void OnReadDone(bool ok) final {
    bool closing = false;
    {
      MutexLock lock(mutex_);
      closing = closing_.has_value();
      if (!ok) read_all_ = true;
    }
    if (!closing) {
      if (ok) {
        if (TakeToken()) OnRequest(request_);
      } else {
        OnHalfClosed();
      }
    }
    {
      MutexLock lock(mutex_);
      reading_ = false;
    }
    Advance();
  }

  void OnWriteDone(bool ok) final {
    // Before anybody may finish the stream.
    if (ok) OnWritten(written_bytes());
    bool writable = false;
    {
      MutexLock lock(mutex_);
      writing_ = false;
      GiveBack(written_bytes_);
      if (pending_.empty()) ReleaseMemory();
      if (!ok) CloseAndDrop(Left());
      writable = refused_ && !closing_.has_value() &&
                 pending_bytes_ <= options_.max_pending_bytes / 2 && !BudgetIsFull();
      if (writable) refused_ = false;
    }
    Advance();
    if (writable) OnWritable();
  }

  void OnCancel() final {
    {
      MutexLock lock(mutex_);
      CloseAndDrop(Left());
    }
    Advance();
  }

  void OnDone() final {
    std::shared_ptr<CoalescingStream> self;
    absl::Status status;
    {
      MutexLock lock(mutex_);
      self = std::move(self_);
      status = *closing_;
    }
    OnEnded(status);
    method_.StreamEnded(status);
  }

  // A client that does not read has had all that waits dropped; the message on its way is let go.
  void OnRefused(const absl::Status& why) final {
    {
      MutexLock lock(mutex_);
      CloseAndDrop(why);
    }
    Advance();
  }

  void OnTokenWanted(absl::Duration within) final {
    if constexpr (RenewsTokens<Request, Response>) {
      {
        MutexLock lock(mutex_);
        if (closing_.has_value()) return;
        token_wanted_ = within;
        if (writing_) return;
      }
      Advance();
    }
  }

  // The newer token of the request, if it has one. False when it was no good: then the stream ends.
  bool TakeToken() {
    if constexpr (RenewsTokens<Request, Response>) {
      const std::string token = std::exchange(*MessageOf(request_).mutable_access_token(), {});
      if (token.empty()) return true;
      const absl::Status renewed = call_->RenewToken(token);
      if (renewed.ok()) {
        OnToken(token);
      } else {
        OnRefused(renewed);
      }
      return renewed.ok();
    }
    return true;
  }

  static absl::Status Left() {
    return Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left");
  }

  void CloseAndDrop(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!closing_.has_value()) closing_ = status;
    token_wanted_.reset();
    pending_.clear();
    GiveBack(pending_bytes_);
    pending_bytes_ = 0;
  }

  // Of a stream that has nothing to say for now: there may be thousands of them.
  void ReleaseMemory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    written_ = {};
    spare_ = {};
    scratch_ = {};
  }

  bool BudgetIsFull() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return options_.budget != nullptr && options_.budget->full() && (writing_ || !pending_.empty());
  }
  void GiveBack(size_t bytes) {
    if (options_.budget != nullptr) options_.budget->GiveBack(bytes);
  }

  Encoded<Response>& RoomFor(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (pending_.empty() || pending_.back().bytes + bytes > options_.max_message_bytes) {
      pending_.push_back({.encoded = std::exchange(spare_, {})});
    }
    pending_.back().bytes += bytes;
    pending_bytes_ += bytes;
    if (options_.budget != nullptr) options_.budget->Take(bytes);
    return pending_.back().encoded;
  }

  // Starts whatever may start: one read, one write, or the end. Called after every change of state.
  // An operation is started without the lock, and counted meanwhile, because none may be started
  // once the stream is finished.
  void Advance() {
    // Whoever finishes the stream may hold the last reference besides its own.
    const auto self = this->shared_from_this();
    bool read = false;
    bool write = false;
    bool finish = false;
    {
      MutexLock lock(mutex_);
      read = TakeRead();
      write = TakeWrite();
      operations_ += int{read} + int{write};
      finish = TakeFinish();
    }
    if (read) call_->StartRead(&request_);
    if (write) call_->StartWrite(&written_);
    if (read || write) {
      MutexLock lock(mutex_);
      operations_ -= int{read} + int{write};
      finish = TakeFinish();
    }
    if (finish) call_->Finish(final_status());
  }

  bool TakeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool take = started_ && !reading_ && !read_all_ && !paused_ && !closing_.has_value();
    reading_ = reading_ || take;
    return take;
  }

  bool TakeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!started_ || writing_ || (pending_.empty() && !token_wanted_.has_value())) return false;
    AskForToken();
    spare_ = std::exchange(written_, std::move(pending_.front().encoded));
    spare_.Clear();
    written_bytes_ = pending_.front().bytes;
    pending_bytes_ -= pending_.front().bytes;
    pending_.pop_front();
    writing_ = true;
    return true;
  }

  // In the message that leaves next. Nobody counts it: it is small.
  void AskForToken() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if constexpr (RenewsTokens<Request, Response>) {
      if (!token_wanted_.has_value()) return;
      if (pending_.empty()) RoomFor(0);
      const auto fill = [within = *std::exchange(token_wanted_, std::nullopt)](Response& response) {
        *response.mutable_token_wanted()->mutable_within() = ToProto(within);
      };
      MergeFilled(fill, scratch_, pending_.front().encoded);
    }
  }

  bool TakeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const bool take = started_ && !finished_ && closing_.has_value() && !writing_ &&
                      pending_.empty() && operations_ == 0;
    finished_ = finished_ || take;
    return take;
  }

  size_t written_bytes() {
    MutexLock lock(mutex_);
    return written_bytes_;
  }

  absl::Status final_status() {
    MutexLock lock(mutex_);
    return *closing_;
  }

  Call* const call_;
  CallMonitor::Method& method_;
  const BidiStreamOptions options_;

  // Belong to gRPC while reading_ or writing_.
  Request request_;
  Encoded<Response> written_;

  Mutex mutex_;
  std::shared_ptr<CoalescingStream> self_ ABSL_GUARDED_BY(mutex_);  // From Start to OnDone.
  std::deque<Message> pending_ ABSL_GUARDED_BY(mutex_);
  ReusedMessage<Response> scratch_ ABSL_GUARDED_BY(mutex_);  // Empty but in Post.
  Encoded<Response> spare_ ABSL_GUARDED_BY(mutex_);          // Has room for another message.
  std::optional<absl::Duration> token_wanted_
      ABSL_GUARDED_BY(mutex_);  // The client is to be asked.
  size_t pending_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t written_bytes_ ABSL_GUARDED_BY(mutex_) = 0;             // Of the message on its way.
  std::optional<absl::Status> closing_ ABSL_GUARDED_BY(mutex_);  // Set once.
  int operations_ ABSL_GUARDED_BY(mutex_) = 0;                   // That are just being started.
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;  // Nothing more comes.
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  bool refused_ ABSL_GUARDED_BY(mutex_) = false;  // OnWritable is owed.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_BIDI_STREAM_H_
