#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_LOAD_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_LOAD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"

namespace kantoku::platform {

// Where a configuration comes from; what stands further down wins.
struct ConfigSources {
  std::string file;  // YAML; empty: none.
  std::vector<std::string>
      environment;                     // "NAME=value"; KANTOKU_INPUTS__GRACE=5s sets inputs.grace.
  std::vector<std::string> overrides;  // "inputs.grace=5s"; list elements, or their names, are
                                       // separated by commas.
};

// The effective configuration: everything read, defaults filled in, valid. INVALID_ARGUMENT,
// INVALID_CONFIG is one line that says where the fault stands, which field and value, and what
// would be right.
absl::StatusOr<config::v1::Config> LoadConfig(const ConfigSources& sources);

// The environment of this process.
std::vector<std::string> ProcessEnvironment();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_LOAD_H_
