#ifndef KANTOKU_SERVICES_OUTPUTS_STREAM_SET_H_
#define KANTOKU_SERVICES_OUTPUTS_STREAM_SET_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::outputs {

// The open calls of a streaming method, so that they can be counted and ended.
//
// Thread-safe.
template <typename Stream>
class StreamSet {
 public:
  StreamSet(size_t limit, std::string_view method) : limit_(limit), method_(method) {}

  // RESOURCE_EXHAUSTED, TOO_MANY_STREAMS; UNAVAILABLE, SERVER_STOPPING after End.
  absl::Status Add(const std::shared_ptr<Stream>& stream) {
    platform::MutexLock lock(mutex_);
    if (ending_) return Stopping();
    if (streams_.size() >= limit_) {
      return platform::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAMS",
                             absl::StrCat(limit_, " ", platform::ToAbsl(method_),
                                          " calls are open, which is the limit"));
    }
    streams_.emplace(stream.get(), stream);
    return absl::OkStatus();
  }
  void Remove(Stream* stream) {
    platform::MutexLock lock(mutex_);
    streams_.erase(stream);
  }

  // Takes no more, and ends those that there are: after what they are saying, or at once.
  void End() {
    for (const auto& stream : TakeOpen()) stream->Close(Stopping());
  }
  void Abort() {
    for (const auto& stream : TakeOpen()) stream->Abort(Stopping());
  }

  static absl::Status Stopping() {
    return platform::Error(absl::StatusCode::kUnavailable, "SERVER_STOPPING",
                           "the server is stopping");
  }

 private:
  std::vector<std::shared_ptr<Stream>> TakeOpen() {
    std::vector<std::shared_ptr<Stream>> open;
    platform::MutexLock lock(mutex_);
    ending_ = true;
    for (const auto& [key, stream] : streams_) {
      if (auto locked = stream.lock(); locked != nullptr) open.push_back(std::move(locked));
    }
    return open;
  }

  const size_t limit_;
  const std::string_view method_;
  platform::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<Stream*, std::weak_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_STREAM_SET_H_
