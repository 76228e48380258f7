#ifndef KANTOKU_SERVICES_OUTPUTS_MODULE_H_
#define KANTOKU_SERVICES_OUTPUTS_MODULE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/server/module.h"

namespace kantoku::outputs {

// Outputs as a part of a program: opens the store and recovers from it, and from Start on serves
// OutputsService. `config` has its defaults filled in.
absl::StatusOr<std::unique_ptr<platform::Module>> MakeOutputsModule(
    const config::v1::OutputsConfig& config, platform::Environment& environment);

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_MODULE_H_
