#ifndef KANTOKU_SERVICES_OUTPUTS_SERVED_H_
#define KANTOKU_SERVICES_OUTPUTS_SERVED_H_

#include <cstdint>

#include "services/outputs/partition.h"

namespace kantoku::outputs {

// What answers the calls about one partition that is open here.
struct Served {
  uint32_t number;
  OutputsPartition& partition;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_SERVED_H_
