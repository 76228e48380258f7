#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_RESTART_ORDER_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_RESTART_ORDER_H_

#include <cstddef>
#include <span>
#include <vector>

#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

struct DeadTask {
  TaskId id;
  std::vector<Dependency> dependencies;
};

// The places of all of `dead` in the order in which they are to be restarted: each behind those of
// them that it depends on, and besides in the order of their spawn, which by their ids alone is
// that of the clocks of whoever made these.
std::vector<size_t> RestartOrder(std::span<const DeadTask> dead);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_RESTART_ORDER_H_
