#ifndef KANTOKU_SERVICES_PLATFORM_ACCESS_TARGET_H_
#define KANTOKU_SERVICES_PLATFORM_ACCESS_TARGET_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/access/access_file.h"
#include "services/platform/clock.h"
#include "services/platform/rpc/channel.h"

namespace kantoku::platform {

// What a client or an executor is told of where to go and who it is; empty where nothing is said.
struct TargetOptions {
  std::string server;       // host:port.
  std::string access_file;  // access_file.h.
  std::string token;        // An access token, or ...
  std::string token_file;   // ... a file that has it. Instead of what the access file says.
  // PEM: where certificates come from, or kSystemAuthorities. Instead of the access file's. This
  // file and the next two are read again when they change, for new connections.
  std::string ca_file;
  std::string certificate_file;  // PEM: what the client shows where it is asked for a certificate,
  std::string key_file;          // and its key.
  // Nothing protects what is sent to other computers.
  bool insecure_plaintext_beyond_loopback = false;
  // A token that has to be fetched may come later, while the issuer cannot be reached; until then
  // none is shown. Else it is waited for, for so long.
  bool token_may_come_later = false;
  absl::Duration patience = absl::Seconds(20);
};

// Where a client goes, and what it shows there.
struct Target {
  std::string server;
  ChannelOptions channel;
};

// Where no access file is named it is $KANTOKU_ACCESS, or that of a server of this user on this
// computer (in DefaultDataDir) if it is for the very server that is named, or none is. Where none
// is found, `otherwise` is the server. Other computers are reached by TLS alone; where nothing says
// whose certificates to trust, by those of the system.
//
// FAILED_PRECONDITION, ACCESS_OF_ANOTHER_SERVER: who one is for one server is not shown to another.
// Only where the file pins the authority of an installation may its server have another address.
// Fetches a first token where the access file has none itself, and may then block for some seconds.
// INVALID_ARGUMENT names what contradicts itself or cannot be read; else as ReadAccessFile,
// OpenGrantToken and issuer_token.h.
absl::StatusOr<Target> FindTarget(const TargetOptions& options, const std::string& otherwise,
                                  Clock& clock);

// The part of it that says where the server is and why it is trusted, for an access file.
absl::StatusOr<Access> FindServer(const TargetOptions& options, const std::string& otherwise);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_ACCESS_TARGET_H_
