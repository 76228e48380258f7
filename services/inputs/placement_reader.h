#ifndef KANTOKU_SERVICES_INPUTS_PLACEMENT_READER_H_
#define KANTOKU_SERVICES_INPUTS_PLACEMENT_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "kantoku/task/v1/task.pb.h"
#include "services/inputs/engine/placement.h"

namespace kantoku::inputs {

// Checks placements, of which neighbours that ask for the same share one.
//
// Thread-compatible.
class PlacementReader {
 public:
  // Null when it asks for nothing. INVALID_ARGUMENT names the field, and in a selector the column.
  absl::StatusOr<std::shared_ptr<const Placement>> Read(const task::v1::Placement& proto);

 private:
  std::string last_selector_;  // As it was written.
  std::shared_ptr<const Placement> last_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PLACEMENT_READER_H_
