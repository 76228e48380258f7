#ifndef KANTOKU_SERVICES_PLATFORM_MESSAGE_POOL_H_
#define KANTOKU_SERVICES_PLATFORM_MESSAGE_POOL_H_

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "services/platform/mutex.h"

namespace kantoku::platform {

// A message that is filled again and again. Emptied, it keeps what it has allocated for its parts
// and texts, so that filling it the next time allocates next to nothing; a message of many small
// items costs more to allocate than to fill.
//
// What it keeps is bounded: it begins anew after one content that was large, and after so much
// content in all.
//
// Thread-compatible.
template <typename Message>
class ReusedMessage {
 public:
  // Of encodings.
  static constexpr size_t kMaxContent = size_t{256} << 10;
  static constexpr size_t kMaxContents = size_t{2} << 20;

  Message& operator*() { return *get(); }
  Message* operator->() { return get(); }
  Message* get() {
    if (message_ == nullptr) message_ = std::make_unique<Message>();
    return message_.get();
  }

  // Empties it. `bytes` is how large its encoding was, or about that.
  void Clear(size_t bytes) {
    contents_ += bytes;
    if (bytes > kMaxContent || contents_ > kMaxContents) {
      *this = ReusedMessage();
    } else if (message_ != nullptr) {
      message_->Clear();
    }
  }

 private:
  std::unique_ptr<Message> message_;  // Null: empty.
  size_t contents_ = 0;
};

// Some of them, for whoever needs one for a while.
//
// Thread-safe.
template <typename Message>
class MessagePool {
 public:
  static constexpr size_t kMaxFree = 8;

  // Empty.
  ReusedMessage<Message> Take() {
    MutexLock lock(mutex_);
    if (free_.empty()) return {};
    ReusedMessage<Message> taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }

  // `bytes` as in ReusedMessage::Clear.
  void GiveBack(ReusedMessage<Message> message, size_t bytes) {
    message.Clear(bytes);
    MutexLock lock(mutex_);
    if (free_.size() < kMaxFree) free_.push_back(std::move(message));
  }

 private:
  Mutex mutex_;
  std::vector<ReusedMessage<Message>> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_MESSAGE_POOL_H_
