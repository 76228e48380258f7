#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_DEFAULTS_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_DEFAULTS_H_

#include "kantoku/config/v1/config.pb.h"

namespace kantoku::platform {

// Sets what is not set to the default that protos/kantoku/config/v1/config.proto documents, so that
// readers of a section find every field filled. Idempotent. What depends on the machine (the data
// directory) comes from the environment (HOME, XDG_DATA_HOME).
void FillDefaults(config::v1::Config& config);

void FillDefaults(config::v1::ServerConfig& config);
void FillDefaults(config::v1::InputsConfig& config);
void FillDefaults(config::v1::OutputsConfig& config);
void FillDefaults(config::v1::EventsConfig& config);
void FillDefaults(config::v1::LogConfig& config);
void FillDefaults(config::v1::AuthConfig& config);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_DEFAULTS_H_
