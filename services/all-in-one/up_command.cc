#include "services/all-in-one/up_command.h"

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "services/events/module.h"
#include "services/inputs/module.h"
#include "services/outputs/module.h"
#include "services/platform/config/command_line.h"
#include "services/platform/config/yaml.h"
#include "services/platform/server/program.h"

namespace kantoku {
namespace {

using platform::Environment;
using platform::ModuleMaker;

// The used before their users: stopping goes the other way.
std::vector<ModuleMaker> Modules(const config::v1::Config& config) {
  std::vector<ModuleMaker> makers;
  if (config.inputs().events()) {
    makers.emplace_back([&config](Environment& environment) {
      return events::MakeEventsModule(config.events(), environment);
    });
  }
  makers.emplace_back([&config](Environment& environment) {
    return outputs::MakeOutputsModule(config.outputs(), environment);
  });
  makers.emplace_back([&config](Environment& environment) {
    return inputs::MakeInputsModule(config.inputs(), environment);
  });
  return makers;
}

int RunUp(const platform::ServerOptions& options) {
  const auto config = options.Load();
  if (!config.ok()) {
    std::cerr << "kantoku up: " << config.status().message() << std::endl;
    return static_cast<int>(cli::ExitCode::kUsage);
  }
  if (options.print_config()) {
    std::cout << platform::ToYaml(*config);
    return 0;
  }
  return platform::Program::Run({.name = "kantoku up",
                                 .config = *config,
                                 .port_file = options.port_file(),
                                 .create_mac_keys = true},
                                Modules(*config));
}

}  // namespace

cli::ExtraCommand MakeUpCommand() {
  auto options = std::make_shared<platform::ServerOptions>();
  return {.name = "up",
          .description = "Runs a server: Inputs, Outputs and Events in one process",
          .set_up = [options](CLI::App& app) { options->AddTo(app); },
          .run = [options] { return RunUp(*options); }};
}

}  // namespace kantoku
