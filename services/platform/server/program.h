#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/server/module.h"
#include "services/platform/server/own_issuer.h"

namespace kantoku::platform {

// Makes a module: opens its stores. Later modules may use earlier ones.
using ModuleMaker =
    absl::AnyInvocable<absl::StatusOr<std::unique_ptr<Module>>(Environment& environment)>;

// Opens the issuer of a program, once its data directory is there.
using IssuerOpener = std::function<absl::StatusOr<std::shared_ptr<OwnIssuer>>(
    const config::v1::Config& config, Clock& clock)>;

struct ProgramOptions {
  std::string name;           // Begins what a failed start says: "kantoku-inputs".
  config::v1::Config config;  // Defaults are filled in.
  std::string port_file;      // Gets the port once calls are served; empty: none.
  // Makes MAC keys where there is no file, and rotates them; else a missing file is an error.
  bool create_mac_keys = false;
  // Makes certificates where none is named, and keeps an access file in the data directory; else
  // there is no TLS, and no such file.
  bool own_authority = false;
  // Whose tokens are taken instead of those of `config.auth.issuers`. Empty: theirs; where there
  // are none, everybody is the administrator `local`.
  IssuerOpener open_issuer;
  std::shared_ptr<Authenticator> authenticator;  // Null: as all of that says.
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

  // What has to be done every now and then; Run does so several times a second: tells health checks
  // what the modules say, ends streams of whom is no longer let in, renews certificates, MAC
  // keys and the access file of the data directory.
  virtual void Refresh() = 0;

  // Drains: lets streams and calls end for as long as `server.drain_timeout` says, cancels those
  // that did not, and stops the modules. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_PROGRAM_H_
