#ifndef KANTOKU_SERVICES_EVENTS_MODULE_H_
#define KANTOKU_SERVICES_EVENTS_MODULE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/server/module.h"

namespace kantoku::events {

// The event service as a part of a program. `config` has its defaults filled in. Fails as opening
// the store does.
absl::StatusOr<std::unique_ptr<platform::Module>> MakeEventsModule(
    const config::v1::EventsConfig& config, platform::Environment& environment);

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_MODULE_H_
