#ifndef KANTOKU_CLIENT_CPP_SRC_MESSAGE_READER_H_
#define KANTOKU_CLIENT_CPP_SRC_MESSAGE_READER_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/cpp/src/call_set.h"
#include "client/cpp/src/retrying_call.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/client_call.h"

namespace kantoku::internal {

// One call whose messages are taken one by one. One is fetched ahead; the server waits while it is
// not taken.
//
// Thread-safe, but one Take at a time. Owned by the call set until the call has ended.
template <typename Response>
class MessageReader final : private platform::ClientStream::Handler, public Cancellable {
 public:
  explicit MessageReader(const CallRuntime& runtime)
      : clock_(runtime.environment.clock), calls_(runtime.calls), stream_(runtime.queue, *this) {}

  // Once; `prepare` is as ClientReadStream's.
  template <typename Prepare>
  void Open(Prepare prepare) {
    stream_.Open(std::move(prepare));
    stream_.StartRead(&response_);
  }

  void Cancel() override {
    bool read = false;
    {
      platform::MutexLock lock(mutex_);
      cancelled_ = true;
      read = std::exchange(has_response_, false);
      changed_.SignalAll();
    }
    stream_.Cancel();
    if (read) stream_.StartRead(&response_);  // The stream ends with a read that fails.
  }

  // Waits for a message and begins to read the next one, into what `taken` had allocated. False:
  // none came in time, or the stream ended, as `end` then says.
  bool Take(absl::Duration deadline, Response& taken, std::optional<absl::Status>& end) {
    {
      platform::MutexLock lock(mutex_);
      while (!has_response_ && !end_.has_value() && !cancelled_ &&
             clock_.Read().steady < deadline) {
        clock_.Wait(mutex_, changed_, deadline);
      }
      if (!has_response_) {
        end = end_;
        return false;
      }
      has_response_ = false;
      taken.Swap(&response_);
    }
    stream_.StartRead(&response_);
    return true;
  }

 private:
  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      platform::MutexLock lock(mutex_);
      has_response_ = !cancelled_;
      changed_.SignalAll();
      if (has_response_) return;
    }
    stream_.StartRead(&response_);
  }
  void OnDone(const absl::Status& status) override {
    {
      platform::MutexLock lock(mutex_);
      end_ = status;
      changed_.SignalAll();
    }
    calls_.Remove(this);  // May destroy this.
  }

  platform::Clock& clock_;
  CallSet& calls_;
  platform::ClientReadStream<Response> stream_;
  Response response_;  // Belongs to gRPC unless has_response_.

  platform::Mutex mutex_;
  platform::CondVar changed_;
  bool has_response_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_MESSAGE_READER_H_
