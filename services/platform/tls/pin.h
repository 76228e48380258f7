#ifndef KANTOKU_SERVICES_PLATFORM_TLS_PIN_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_PIN_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificates.h"

namespace kantoku::platform {

// Asks the server at "host:port" or "[IPv6 address]:port" for its certificates, trusting nobody,
// and takes the one of the authority with this fingerprint, in PEM. Nothing is sent but the
// handshake.
//
// This does not mean that one has spoken with that authority's server: an attacker can append the
// genuine certificate, which is public, to his own. The caller must now connect anew, trusting this
// authority alone and verifying against it, and send nothing before.
//
// Thread-safe. Blocks for `timeout` at most, whatever the server does; but looking up a name has
// the system's own time limits.
//
// INVALID_ARGUMENT, INVALID_ADDRESS. UNAVAILABLE, CANNOT_CONNECT: try again later.
// FAILED_PRECONDITION, PIN_MISMATCH: it is not that server, or somebody is in between; do not.
absl::StatusOr<std::string> FetchAuthority(const std::string& address, const Fingerprint& pin,
                                           absl::Duration timeout);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_PIN_H_
