#ifndef KANTOKU_SERVICES_INPUTS_METRICS_H_
#define KANTOKU_SERVICES_INPUTS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/wait_book.h"

namespace kantoku::inputs {

// How long the tasks of each type have waited for what, as counters:
// `kantoku_inputs_wait_seconds_total{namespace, type, cause}`, of which one that is 0 is absent, as
// are those of types that nobody uses any more.
//
// Confined to one thread. The registry outlives it.
class WaitMetrics {
 public:
  explicit WaitMetrics(prometheus::Registry& registry);

  // The totals, each of which grows as long as it is there.
  void Tell(const WaitBook::TypeTotals& totals);

 private:
  struct Type {
    CauseTimes told{};
    std::array<prometheus::Counter*, kWaitCauses> counters{};
  };

  prometheus::Family<prometheus::Counter>& family_;
  absl::flat_hash_map<WaitBook::TypeName, Type> types_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_METRICS_H_
