#ifndef KANTOKU_SERVICES_OUTPUTS_METRICS_H_
#define KANTOKU_SERVICES_OUTPUTS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace kantoku::outputs {

// What Outputs counts.
//
// Thread-safe. The registry owns the members and outlives it.
struct Metrics {
  explicit Metrics(prometheus::Registry& registry);

  prometheus::Counter* stored;
  prometheus::Counter* repeated;
  // Results that were refused, by reason.
  prometheus::Counter* invalid;
  prometheus::Counter* invalid_lease;
  prometheus::Counter* fenced;
  prometheus::Counter* full;
  prometheus::Counter* taken;

  prometheus::Counter* items;          // That were stored.
  prometheus::Counter* items_refused;  // Batches of them.

  prometheus::Counter* closed;    // Dispatches.
  prometheus::Counter* settled;   // Tasks that Inputs ended, or found ended.
  prometheus::Counter* answered;  // Futures.

  prometheus::Gauge* waiters;
  prometheus::Gauge* readers;  // Of items.
  prometheus::Gauge* results;
  prometheus::Gauge* fences;
  prometheus::Gauge* bytes;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_METRICS_H_
