#ifndef KANTOKU_SERVICES_PLATFORM_CONFIG_COMMAND_LINE_H_
#define KANTOKU_SERVICES_PLATFORM_CONFIG_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"

namespace CLI {
class App;
}  // namespace CLI

namespace kantoku::platform {

// What a program prints as its version.
extern const char kVersion[];

// The options that every program with a server takes: --config, --set, --data, --listen,
// --port-file, --print-config.
//
// Outlives the parsing of `app`.
class ServerOptions {
 public:
  void AddTo(CLI::App& app);

  // After parsing: the effective configuration, from file, environment and options.
  // INVALID_ARGUMENT, INVALID_CONFIG is the line to print before exit code 2.
  absl::StatusOr<config::v1::Config> Load() const;

  bool print_config() const { return print_config_; }
  const std::string& port_file() const { return port_file_; }

 private:
  std::string file_;
  std::vector<std::string> sets_;
  std::string data_;
  std::string listen_;
  std::string port_file_;
  bool print_config_ = false;
};

// The command line of a service's own program.
struct ServiceCommandLine {
  // Set when there is nothing to run: after --help, --version and --print-config (0), and after a
  // fault, which was said in one line (2).
  std::optional<int> exit_code;
  config::v1::Config config;
  std::string port_file;
};

ServiceCommandLine ParseServiceCommandLine(int argc, const char* const* argv,
                                           const std::string& name, const std::string& description);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_CONFIG_COMMAND_LINE_H_
