#ifndef KANTOKU_SERVICES_OUTPUTS_METRICS_H_
#define KANTOKU_SERVICES_OUTPUTS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <utility>

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

// What one partition has of a gauge that all of them share.
//
// Thread-compatible.
class GaugeShare {
 public:
  explicit GaugeShare(prometheus::Gauge& gauge) : gauge_(gauge) {}
  GaugeShare(const GaugeShare&) = delete;
  GaugeShare& operator=(const GaugeShare&) = delete;
  ~GaugeShare() { Set(0); }

  void Set(double value) {
    if (value != value_) gauge_.Increment(value - std::exchange(value_, value));
  }

 private:
  prometheus::Gauge& gauge_;
  double value_ = 0;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_METRICS_H_
