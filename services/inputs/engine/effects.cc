#include "services/inputs/engine/effects.h"

namespace kantoku::inputs {

void Effects::Clear() {
  erased_specs.clear();
  states.clear();
  groups.clear();
  sessions.clear();
  references.clear();
  requests.clear();
  trees.clear();
  ended_dependencies.clear();
  routes.clear();
  blocks.clear();
  limits.clear();
  pauses.clear();
  restarts.clear();
  infos.clear();
  reuses.clear();
  high_water.clear();
  history.clear();
  dead.clear();
  dispatches.clear();
  renewals.clear();
  starts.clear();
  controls.clear();
  executor_controls.clear();
  fences.clear();
  closes.clear();
  events.clear();
}

}  // namespace kantoku::inputs
