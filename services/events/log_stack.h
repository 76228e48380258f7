#ifndef KANTOKU_SERVICES_EVENTS_LOG_STACK_H_
#define KANTOKU_SERVICES_EVENTS_LOG_STACK_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/events/log.h"
#include "services/events/metrics.h"
#include "services/events/record_event_log.h"
#include "services/events/served.h"
#include "services/events/subscription_hub.h"
#include "services/platform/clock.h"
#include "services/platform/store/record_store.h"

namespace kantoku::events {

// The log in this process, and those who read it.
//
// Thread-safe but for Stop. Held by whoever still calls it.
class LogStack {
 public:
  // Takes the log over and recovers it. Factory, clock and metrics outlive it.
  static absl::StatusOr<std::shared_ptr<LogStack>> Open(const RecordEventLogOptions& options,
                                                        platform::RecordStoreFactory& stores,
                                                        platform::Clock& clock, Metrics& metrics);
  ~LogStack() { Stop(); }

  // What answers calls; it keeps the stack.
  static std::shared_ptr<Served> ServedOf(const std::shared_ptr<LogStack>& stack) {
    return {stack, &stack->served_};
  }
  EventLog& log() { return *log_; }
  SubscriptionHub& hub() { return hub_; }

  // Ends subscribers, who go on elsewhere or later after what they have seen, makes durable what
  // was appended, and answers no more. Idempotent.
  void Stop();

 private:
  LogStack(std::unique_ptr<EventLog> log, Metrics& metrics);

  Metrics& metrics_;
  const std::unique_ptr<EventLog> log_;
  SubscriptionHub hub_;
  Served served_{.log = *log_, .hub = hub_};
  bool stopped_ = false;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_LOG_STACK_H_
