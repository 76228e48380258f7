#include "services/platform/rpc/relay.h"

#include <grpcpp/generic/generic_stub.h>

#include <utility>

#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

// Empty messages are not for nothing either.
size_t WeightOf(const grpc::Slice& message) { return message.size() + sizeof(grpc::Slice); }

}  // namespace

Relay::Relay(Forwarder& forwarder, std::shared_ptr<Receiver> receiver)
    : Outgoing(Kind::kRelay),
      forwarder_(forwarder),
      stream_(forwarder.queue_, *this),
      receiver_(std::move(receiver)) {}

std::shared_ptr<Relay> Relay::Open(Forwarder& forwarder, const grpc::ServerContextBase& call,
                                   const std::string& path, const Forwarder::Target& target,
                                   std::shared_ptr<Receiver> receiver, std::string_view token) {
  std::shared_ptr<Relay> relay(new Relay(forwarder, std::move(receiver)));
  const auto channel = forwarder.Begin(*relay, target.address);
  if (!channel.ok()) {
    {
      MutexLock lock(relay->mutex_);
      relay->over_ = true;
    }
    std::exchange(relay->receiver_, nullptr)->OnRelayEnded(channel.status());
    return relay;
  }
  relay->stream_.Open([&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
    forwarder.PassOn(call, target.partition, *context, token);
    return grpc::GenericStub(*channel).PrepareCall(context, path, queue);
  });
  {
    MutexLock lock(relay->mutex_);
    relay->self_ = relay;
    relay->open_ = true;
  }
  relay->Advance();
  return relay;
}

bool Relay::Write(std::string_view message) {
  {
    MutexLock lock(mutex_);
    if (finishing_ || cancelled_ || over_) return true;
    if (pending_bytes_ >= kMaxPendingBytes) {
      refused_ = true;
      return false;
    }
    pending_bytes_ += WeightOf(pending_.emplace_back(message.data(), message.size()));
  }
  Advance();
  return true;
}

void Relay::Finish() {
  {
    MutexLock lock(mutex_);
    finishing_ = true;
  }
  Advance();
}

void Relay::PauseReading() {
  MutexLock lock(mutex_);
  paused_ = true;
}

void Relay::ResumeReading() {
  {
    MutexLock lock(mutex_);
    paused_ = false;
  }
  Advance();
}

void Relay::Cancel() {
  {
    MutexLock lock(mutex_);
    if (std::exchange(cancelled_, true) || over_) return;
    pending_.clear();
  }
  stream_.Cancel();
  Advance();  // What is read now ends it.
}

void Relay::Advance() {
  bool read = false;
  bool write = false;
  bool finish = false;
  {
    MutexLock lock(mutex_);
    if (!open_ || over_) return;
    read = TakeRead();
    write = TakeWrite();
    finish = TakeFinish();
    // While the end is not read: so the stream lives until these are done.
    if (write || finish) stream_.Claim();
  }
  if (write) stream_.StartWrite(written_);
  if (finish) stream_.StartWritesDone();
  if (read) stream_.StartRead(&received_);
}

bool Relay::TakeRead() {
  if (reading_ || (paused_ && !cancelled_)) return false;
  reading_ = true;
  return true;
}

bool Relay::TakeWrite() {
  if (writing_ || pending_.empty()) return false;
  written_ = grpc::ByteBuffer(&pending_.front(), 1);
  written_bytes_ = WeightOf(pending_.front());
  pending_.pop_front();
  writing_ = true;
  return true;
}

bool Relay::TakeFinish() {
  if (!finishing_ || finished_ || writing_ || !pending_.empty()) return false;
  finished_ = true;
  return true;
}

void Relay::OnReadDone(bool ok) {
  bool deliver = false;
  {
    MutexLock lock(mutex_);
    over_ = !ok;
    deliver = ok && !cancelled_;
  }
  if (deliver) Deliver();
  received_.Clear();
  {
    MutexLock lock(mutex_);
    reading_ = false;
  }
  Advance();
}

void Relay::Deliver() {
  grpc::Slice slice;
  if (!received_.TrySingleSlice(&slice).ok()) {
    KANTOKU_CHECK(received_.DumpToSingleSlice(&slice).ok());
  }
  receiver_->OnRelayed(ViewOf(slice));
}

void Relay::OnWriteDone(bool ok) {
  bool writable = false;
  {
    MutexLock lock(mutex_);
    writing_ = false;
    pending_bytes_ -= written_bytes_;
    if (!ok) pending_.clear();  // The stream is about to end.
    writable = ok && refused_ && !cancelled_ && pending_bytes_ <= kMaxPendingBytes / 2;
    if (writable) refused_ = false;
  }
  Advance();
  if (writable) receiver_->OnRelayWritable();
}

void Relay::OnDone(const absl::Status& status) {
  std::shared_ptr<Relay> self;
  {
    MutexLock lock(mutex_);
    self = std::move(self_);
  }
  Forwarder& forwarder = forwarder_;
  std::exchange(receiver_, nullptr)->OnRelayEnded(forwarder.Settle(*this, status));
  self.reset();
  forwarder.Ended();
}

}  // namespace kantoku::platform
