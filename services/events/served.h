#ifndef KANTOKU_SERVICES_EVENTS_SERVED_H_
#define KANTOKU_SERVICES_EVENTS_SERVED_H_

#include "services/events/log.h"
#include "services/events/subscription_hub.h"

namespace kantoku::events {

// What answers calls where the log is open.
struct Served {
  EventLog& log;
  SubscriptionHub& hub;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_SERVED_H_
