#ifndef KANTOKU_SERVICES_PLATFORM_AUDIT_EVENTS_AUDIT_TRAIL_H_
#define KANTOKU_SERVICES_PLATFORM_AUDIT_EVENTS_AUDIT_TRAIL_H_

#include <grpcpp/channel.h>
#include <prometheus/registry.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/audit/audit_trail.h"
#include "services/platform/audit/repeat_counter.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace prometheus {
class Counter;
}  // namespace prometheus

namespace kantoku::platform {

// An audit trail in the program's log and, once it is connected, in Events: every event is a line
// of the first before it is sent to the second, and sent again until Events has taken it.
//
// Order is that of the calls. What waits for Events is bounded in bytes; beyond that the oldest
// leave, are counted (`kantoku_audit_dropped_total`), and Events is told how many (`audit.dropped`)
// when it can be reached again. What waits when the program ends otherwise than by Stop is in the
// log alone.
//
// Thread-safe. Owns a thread; everything that it is given outlives it.
class EventsAuditTrail final : public AuditTrail {
 public:
  struct Options {
    std::string source;  // As in AppendRequest: nobody else's, nor this program's before.
    size_t max_waiting_bytes = size_t{4} << 20;
    RepeatCounter::Options repeats;
  };

  EventsAuditTrail(Options options, const MacKeys& keys, Clock& clock,
                   prometheus::Registry& metrics);
  ~EventsAuditTrail() override;

  // What is said from now on goes to Events, too. Once.
  void Connect(std::shared_ptr<grpc::Channel> events);

  void Say(AuditEvent event) override;
  void SayOften(AuditEvent event) override;

  // Says how often what was said lately has come again. To be called every now and then.
  void Refresh();
  // Refresh for all, now; then waits until Events has everything, but no longer than `within`. What
  // is said afterwards is in the log alone. Idempotent.
  void Stop(absl::Duration within);

 private:
  class Sender;

  void Tell(AuditEvent event);

  const Options options_;
  const MacKeys& keys_;
  Clock& clock_;
  prometheus::Counter& said_;
  prometheus::Counter& dropped_;

  Mutex mutex_;
  RepeatCounter repeats_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Sender> sender_ ABSL_GUARDED_BY(mutex_);  // Null: not connected, or stopped.
};

// Whether a service of this full name is the one that Connect wants.
bool IsEventsService(std::string_view full_name);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUDIT_EVENTS_AUDIT_TRAIL_H_
