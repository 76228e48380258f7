// A program without modules, to see how every program starts, fails and ends.
#include "services/platform/config/command_line.h"
#include "services/platform/server/program.h"

int main(int argc, char** argv) {
  using namespace kantoku::platform;  // NOLINT(google-build-using-namespace): a main of one screen.
  auto line = ParseServiceCommandLine(argc, argv, "kantoku-test-server", "Serves nothing.");
  if (line.exit_code.has_value()) return *line.exit_code;
  ProgramOptions options;
  options.name = "kantoku-test-server";
  options.config = std::move(line.config);
  options.port_file = std::move(line.port_file);
  options.create_mac_keys = true;
  return Program::Run(options, {});
}
