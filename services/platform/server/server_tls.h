#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_TLS_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_TLS_H_

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/certificate_keeper.h"

namespace kantoku::platform {

// The certificates of a program's server, and how it reaches other services.
//
// Confined to the program's main thread, but for what it returns.
class ServerTls {
 public:
  // Of the operator's files; else, with `own_authority`, of an authority in `<data_dir>/tls` that
  // is made when it is missing; null where there is neither, or TLS is switched off. Errors as
  // CertificateAuthority and CertificateKeeper, INVALID_CONFIG naming the field for the operator's
  // files.
  static absl::StatusOr<std::unique_ptr<ServerTls>> Open(const config::v1::ServerConfig& config,
                                                         bool own_authority, absl::Time now);

  // For one server. New connections get new certificates within a second or two of Refresh.
  std::shared_ptr<grpc::ServerCredentials> MakeCredentials() const;

  // What a client of this computer is told, so that it trusts the server (access_file.h): its own
  // authority; where the certificate is the operator's, `ca_file`, or those of the system.
  const std::string& authorities() const { return authorities_; }
  // What that certificate is for at any rate; empty where it is the operator's.
  std::string server_name() const { return authority_ != nullptr ? kInternalName : ""; }

  // To be called every now and then: looks whether files have changed, or a certificate is old.
  void Refresh(absl::Time now) { keeper_->Refresh(now); }

 private:
  std::unique_ptr<CertificateAuthority> authority_;  // Null where there are files.
  std::string authorities_;
  std::unique_ptr<CertificateKeeper> keeper_;
};

// Whether a server with this configuration has TLS.
bool UsesTls(const config::v1::TlsConfig& config, bool own_authority);

// How a program reaches services elsewhere, which are on other computers or on this one.
struct OutwardTls {
  ChannelTls tls;
  bool on_this_computer = false;   // With TLS, too: where the program has TLS itself.
  bool on_other_computers = true;  // False under an ugly name alone.
};

// They are shown the certificate for clients, or else the server's own. INVALID_CONFIG when
// `ca_file` cannot be read or holds no authorities; errors as MakeCertificateFiles. All files are
// read again when they change.
absl::StatusOr<OutwardTls> TlsToOthers(const config::v1::TlsConfig& config, bool has_tls);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_SERVER_TLS_H_
