#include "services/outputs/metrics.h"

#include <string>

namespace kantoku::outputs {
namespace {

using Labels = std::map<std::string, std::string>;

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry,
                                                  const std::string& name,
                                                  const std::string& help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Gauge* Gauge(prometheus::Registry& registry, const std::string& name,
                         const std::string& help) {
  return &prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

Metrics::Metrics(prometheus::Registry& registry) {
  auto& puts = Counters(registry, "kantoku_outputs_puts_total",
                        "Results that executors put, by what became of them.");
  stored = &puts.Add({{"outcome", "stored"}});
  repeated = &puts.Add({{"outcome", "repeated"}});
  invalid = &puts.Add({{"outcome", "invalid"}});
  invalid_lease = &puts.Add({{"outcome", "invalid_lease"}});
  fenced = &puts.Add({{"outcome", "fenced"}});
  full = &puts.Add({{"outcome", "full"}});
  taken = &puts.Add({{"outcome", "taken"}});
  items =
      &Counters(registry, "kantoku_outputs_items_total", "Items of generators that were stored.")
           .Add({});
  items_refused = &Counters(registry, "kantoku_outputs_item_batches_refused_total",
                            "Batches of items that were refused.")
                       .Add({});
  auto& fencings = Counters(registry, "kantoku_outputs_fencings_total",
                            "Dispatches that Inputs closed and tasks that it settled.");
  closed = &fencings.Add({{"outcome", "closed"}});
  settled = &fencings.Add({{"outcome", "ended"}});
  answered =
      &Counters(registry, "kantoku_outputs_answers_total", "Futures that were resolved.").Add({});
  waiters = Gauge(registry, "kantoku_outputs_waiters", "Futures that wait.");
  readers = Gauge(registry, "kantoku_outputs_item_readers", "Streams of items that are open.");
  results = Gauge(registry, "kantoku_outputs_results", "Ends of tasks that are held.");
  fences = Gauge(registry, "kantoku_outputs_fences", "Fences that are held.");
  bytes = Gauge(registry, "kantoku_outputs_bytes",
                "Records of results, items and fences that are held.");
}

}  // namespace kantoku::outputs
