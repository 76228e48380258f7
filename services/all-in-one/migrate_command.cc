#include "services/all-in-one/migrate_command.h"

#include <iostream>
#include <memory>
#include <utility>

#include "services/events/log_records.h"
#include "services/inputs/store.h"
#include "services/outputs/store.h"
#include "services/platform/config/command_line.h"
#include "services/platform/config/yaml.h"
#include "services/platform/stores/stores.h"

namespace kantoku {
namespace {

bool Migrate(const config::v1::StoreConfig& config, const platform::StoreSchema& schema) {
  const auto steps = platform::MigrateStore(config, schema);
  if (!steps.ok()) {
    std::cerr << "kantoku migrate: " << steps.status().message() << std::endl;
    return false;
  }
  std::cout << schema.component << ": ";
  if (!steps->has_value()) {
    std::cout << "its store needs none" << std::endl;
  } else if (**steps == 0) {
    std::cout << "up to date" << std::endl;
  } else {
    std::cout << **steps << (**steps == 1 ? " step" : " steps") << std::endl;
  }
  return true;
}

int RunMigrate(const platform::ServerOptions& options) {
  const auto config = options.Load();
  if (!config.ok()) {
    std::cerr << "kantoku migrate: " << config.status().message() << std::endl;
    return static_cast<int>(cli::ExitCode::kUsage);
  }
  if (options.print_config()) {
    std::cout << platform::ToYaml(*config);
    return 0;
  }
  const bool is_done = Migrate(config->inputs().store(), inputs::InputsSchema()) &&
                       Migrate(config->outputs().store(), outputs::OutputsSchema()) &&
                       Migrate(config->events().store(), events::EventsSchema());
  return static_cast<int>(is_done ? cli::ExitCode::kOk : cli::ExitCode::kFailed);
}

}  // namespace

cli::ExtraCommand MakeMigrateCommand() {
  auto options = std::make_shared<platform::ServerOptions>();
  return {.name = "migrate",
          .description = "Makes the tables of a server's stores, or brings them up to date",
          .set_up = [options](CLI::App& app) { options->AddTo(app); },
          .run = [options] { return RunMigrate(*options); }};
}

}  // namespace kantoku
