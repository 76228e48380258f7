#ifndef KANTOKU_SERVICES_INPUTS_MODULE_H_
#define KANTOKU_SERVICES_INPUTS_MODULE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/server/module.h"

namespace kantoku::inputs {

// Inputs as a part of a program: opens the store, recovers the partition, and from Start on serves
// InputsService and speaks to Outputs and Events. The configuration is complete (defaults filled in
// and checked).
absl::StatusOr<std::unique_ptr<platform::Module>> MakeInputsModule(
    const config::v1::InputsConfig& config, platform::Environment& environment);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_MODULE_H_
