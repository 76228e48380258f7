#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CALL_MONITOR_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CALL_MONITOR_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace kantoku::platform {

// Watches the calls of one program: counts and times them by method and code, logs those that
// failed by a fault of ours, and knows how many streams are open.
//
// Thread-safe. `registry` and `clock` outlive it, it outlives the calls.
class CallMonitor {
 public:
  // What is measured of one method. Made once, so that a call looks nothing up.
  //
  // Thread-safe.
  class Method {
   public:
    const std::string& name() const { return name_; }

    // Steady time, to be given to Ended.
    absl::Duration Begin();
    void Ended(absl::Duration begin, const absl::Status& status);
    // The same for a stream, whose length says nothing about us and is not measured.
    void StreamOpened();
    void StreamEnded(const absl::Status& status);

   private:
    friend class CallMonitor;
    static constexpr size_t kCodes = 17;

    Method(CallMonitor& monitor, std::string name);
    void Count(const absl::Status& status);

    CallMonitor& monitor_;
    const std::string name_;
    std::array<prometheus::Counter*, kCodes> ended_;
    prometheus::Histogram* seconds_;
    prometheus::Gauge* open_;
  };

  CallMonitor(prometheus::Registry& registry, Clock& clock);
  ~CallMonitor();

  // `name` as in gRPC: "InputsService/Spawn". The same method for the same name.
  Method& MethodOf(std::string_view name);

  int64_t open_streams() const;

  // Waits until no stream is open; false when `limit` was over before.
  bool AwaitNoStreams(absl::Duration limit);

 private:
  void ChangeStreams(int by);

  prometheus::Registry& registry_;
  Clock& clock_;

  mutable Mutex mutex_;
  CondVar streams_ended_;
  int64_t open_streams_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CALL_MONITOR_H_
