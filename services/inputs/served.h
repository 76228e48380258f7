#ifndef KANTOKU_SERVICES_INPUTS_SERVED_H_
#define KANTOKU_SERVICES_INPUTS_SERVED_H_

#include <cstdint>

#include "services/inputs/partition/partition.h"
#include "services/inputs/pull_stream.h"

namespace kantoku::inputs {

// What answers the calls about one partition that is open here.
struct Served {
  uint32_t number;
  Partition& partition;
  PullStreams& streams;  // Of its executors.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SERVED_H_
