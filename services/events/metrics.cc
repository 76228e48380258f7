#include "services/events/metrics.h"

#include <string>

namespace kantoku::events {
namespace {

prometheus::Counter* Count(prometheus::Registry& registry, const std::string& name,
                           const std::string& help) {
  return &prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge* Measure(prometheus::Registry& registry, const std::string& name,
                           const std::string& help) {
  return &prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry)
    : appended_batches(Count(registry, "kantoku_events_appended_batches_total",
                             "Batches that were appended to the log")),
      repeated_batches(Count(registry, "kantoku_events_repeated_batches_total",
                             "Batches that the log held already")),
      sent_events(Count(registry, "kantoku_events_sent_total",
                        "Events that were handed to subscribers and readers")),
      gaps(Count(registry, "kantoku_events_gaps_total",
                 "Times that a reader was told that retention was faster")),
      subscribers(
          Measure(registry, "kantoku_events_subscribers", "Subscribers that are connected")),
      kept_batches(Measure(registry, "kantoku_events_kept_batches", "Batches in the log")) {}

}  // namespace kantoku::events
