#include <utility>

#include "services/inputs/module.h"
#include "services/platform/config/command_line.h"
#include "services/platform/process.h"
#include "services/platform/server/program.h"

int main(int argc, char** argv) {
  kantoku::platform::SetUpProcess();
  using kantoku::platform::Environment;
  using kantoku::platform::Program;

  auto line = kantoku::platform::ParseServiceCommandLine(
      argc, argv, "kantoku-inputs", "Accepts tasks and leases them to executors");
  if (line.exit_code.has_value()) return *line.exit_code;
  std::vector<kantoku::platform::ModuleMaker> makers;
  makers.emplace_back([&config = line.config.inputs()](Environment& environment) {
    return kantoku::inputs::MakeInputsModule(config, environment);
  });
  return Program::Run(
      {.name = "kantoku-inputs", .config = line.config, .port_file = line.port_file},
      std::move(makers));
}
