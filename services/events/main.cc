#include <utility>
#include <vector>

#include "services/events/module.h"
#include "services/platform/config/command_line.h"
#include "services/platform/process.h"
#include "services/platform/server/program.h"

int main(int argc, char** argv) {
  kantoku::platform::SetUpProcess();
  using kantoku::platform::Environment;
  using kantoku::platform::Program;

  auto line = kantoku::platform::ParseServiceCommandLine(
      argc, argv, "kantoku-events", "Keeps what happened and tells it to whoever subscribes");
  if (line.exit_code.has_value()) return *line.exit_code;
  std::vector<kantoku::platform::ModuleMaker> makers;
  makers.emplace_back([&config = line.config.events()](Environment& environment) {
    return kantoku::events::MakeEventsModule(config, environment);
  });
  return Program::Run(
      {.name = "kantoku-events", .config = line.config, .port_file = line.port_file},
      std::move(makers));
}
