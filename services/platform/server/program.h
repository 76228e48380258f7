#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/server/module.h"

namespace kantoku::platform {

// Makes a module: opens its stores. Later modules may use earlier ones.
using ModuleMaker =
    absl::AnyInvocable<absl::StatusOr<std::unique_ptr<Module>>(Environment& environment)>;

struct ProgramOptions {
  std::string name;              // Begins what a failed start says: "kantoku-inputs".
  config::v1::Config config;     // Defaults are filled in.
  std::string port_file;         // Gets the port once the server listens; empty: none.
  bool create_mac_keys = false;  // Else a missing key file is an error.
  std::shared_ptr<Authenticator> authenticator;  // Null: as the configuration says.
};

// The modules of one process behind one server: opened, listening, started, and stopped in the
// reverse order.
//
// Confined to the thread that starts it. Owns everything.
class Program {
 public:
  // Everything that can go wrong is said before a module is started. INVALID_ARGUMENT,
  // INVALID_CONFIG for configuration; else what the directory, the port or a store says.
  static absl::StatusOr<std::unique_ptr<Program>> Start(const ProgramOptions& options,
                                                        std::vector<ModuleMaker> makers);

  // What a service's main returns: Start, wait for SIGTERM or SIGINT, Stop. 0: stopped as asked; 1:
  // could not start; 2: wrong configuration. The last two write one line to standard error. A
  // second signal does not wait.
  static int Run(const ProgramOptions& options, std::vector<ModuleMaker> makers);

  // Stops if that was not done.
  virtual ~Program() = default;

  // Where the server listens: "127.0.0.1:6330".
  virtual std::string address() const = 0;
  // Where `/metrics` is; empty when there is none.
  virtual std::string metrics_address() const = 0;
  virtual Environment& environment() = 0;

  // Tells health checks what the modules say; Run does so several times a second.
  virtual void RefreshHealth() = 0;

  // Drains: lets streams and calls end for as long as `server.drain_timeout` says, cancels those
  // that did not, and stops the modules. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_
