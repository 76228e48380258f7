#ifndef KANTOKU_SERVICES_INPUTS_METRICS_H_
#define KANTOKU_SERVICES_INPUTS_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/registry.h>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/wait_book.h"
#include "services/platform/mutex.h"

namespace kantoku::inputs {

// How long the tasks of each type have waited for what, as counters:
// `kantoku_inputs_wait_seconds_total{namespace, type, cause}`, of which one that is 0 is absent, as
// are those of types that nobody uses any more.
//
// Thread-safe. The registry outlives it.
class WaitMetrics {
 public:
  explicit WaitMetrics(prometheus::Registry& registry);

  // The totals of one partition, each of which grows as long as it is there. A namespace is in one.
  void Tell(uint32_t partition, const WaitBook::TypeTotals& totals);

 private:
  struct Type {
    CauseTimes told{};
    std::array<prometheus::Counter*, kWaitCauses> counters{};
  };

  prometheus::Family<prometheus::Counter>& family_;
  platform::Mutex mutex_;
  absl::flat_hash_map<uint32_t, absl::flat_hash_map<WaitBook::TypeName, Type>> partitions_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_METRICS_H_
