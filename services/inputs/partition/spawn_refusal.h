#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_REFUSAL_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_REFUSAL_H_

#include "absl/status/status.h"
#include "services/inputs/engine/commands.h"

namespace kantoku::inputs {

// OK of an item that was created, or has the id of an equal one; else why it is not.
absl::Status RefusalOf(const SpawnOutcome::Item& item);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_SPAWN_REFUSAL_H_
