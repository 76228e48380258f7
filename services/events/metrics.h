#ifndef KANTOKU_SERVICES_EVENTS_METRICS_H_
#define KANTOKU_SERVICES_EVENTS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>

namespace kantoku::events {

// What Events counts. Calls and the store are measured where they are shared.
//
// Thread-safe. The registry owns the members and outlives it.
struct Metrics {
  explicit Metrics(prometheus::Registry& registry);

  // Batches of the log; 0 while it is another replica's.
  void SetKept(uint64_t batches) { kept_batches->Set(static_cast<double>(batches)); }

  prometheus::Counter* appended_batches;  // Without repeats.
  prometheus::Counter* repeated_batches;
  prometheus::Counter* sent_events;  // To subscribers and readers.
  prometheus::Counter* gaps;         // That readers were told of.
  prometheus::Gauge* subscribers;
  prometheus::Gauge* kept_batches;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_METRICS_H_
