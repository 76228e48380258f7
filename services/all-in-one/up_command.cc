#include "services/all-in-one/up_command.h"

#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "services/events/module.h"
#include "services/inputs/module.h"
#include "services/issuer/issuer.h"
#include "services/issuer/module.h"
#include "services/outputs/module.h"
#include "services/platform/config/command_line.h"
#include "services/platform/config/yaml.h"
#include "services/platform/proto_time.h"
#include "services/platform/random.h"
#include "services/platform/server/program.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

using platform::Environment;
using platform::ModuleMaker;

// The issuer of this installation, which the server asks who calls and the module gives out grants
// of. Null until it is opened, and where tokens are another issuer's.
using OwnIssuer = std::shared_ptr<issuer::Issuer>;

platform::IssuerOpener OpenInto(const std::shared_ptr<OwnIssuer>& own) {
  return [own](const config::v1::Config& config,
               platform::Clock& clock) -> absl::StatusOr<std::shared_ptr<platform::OwnIssuer>> {
    issuer::Issuer::Options options;
    options.key_file = config.server().data_dir() + "/issuer.key";
    options.times.leeway = platform::FromProto(config.auth().leeway());
    options.random = platform::SystemRandom;
    KANTOKU_ASSIGN_OR_RETURN(*own, issuer::Issuer::Open(std::move(options), clock));
    return *own;
  };
}

bool HasOwnIssuer(const config::v1::AuthConfig& config) {
  return config.issuers().empty() && !config.insecure_trust_everybody_on_loopback();
}

// The used before their users: stopping goes the other way.
std::vector<ModuleMaker> Modules(const config::v1::Config& config,
                                 const std::shared_ptr<OwnIssuer>& own) {
  std::vector<ModuleMaker> makers;
  if (HasOwnIssuer(config.auth())) {
    makers.emplace_back(
        [own](Environment& environment) { return issuer::MakeIssuerModule(*own, environment); });
  }
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
  const auto own = std::make_shared<OwnIssuer>();
  const bool has_issuer = HasOwnIssuer(config->auth());
  return platform::Program::Run({.name = "kantoku up",
                                 .config = *config,
                                 .port_file = options.port_file(),
                                 .create_mac_keys = true,
                                 .own_authority = true,
                                 .open_issuer = has_issuer ? OpenInto(own) : nullptr},
                                Modules(*config, own));
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
