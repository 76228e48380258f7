#include "services/platform/server/server_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/access/access_file.h"
#include "services/platform/config/address.h"
#include "services/platform/config/fields.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_source.h"
#include "services/platform/tls/certificates.h"
#include "services/platform/tls/client_files.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

// How often gRPC looks at the keeper's files, in seconds; with 0 it would do nothing else.
constexpr unsigned kWatchSeconds = 1;

std::vector<std::string> NamesOf(const config::v1::ServerConfig& config) {
  std::vector<std::string> names = {"localhost", "127.0.0.1", "::1"};
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  };
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) add(host.data());
  if (const auto listen = ParseListenAddress("server.listen", config.listen()); listen.ok()) {
    if (listen->host != "0.0.0.0" && listen->host != "::") add(listen->host);
  }
  for (const std::string& name : config.tls().names()) add(name);
  return names;
}

// What `ca_file` holds, or kSystemAuthorities where there is none.
absl::StatusOr<std::string> AuthoritiesOf(const config::v1::TlsConfig& config) {
  if (config.ca_file().empty()) return kSystemAuthorities;
  auto pem = ReadWholeFile(config.ca_file());
  const absl::Status good = pem.ok() ? CheckAuthorities(*pem) : pem.status();
  if (good.ok()) return pem;
  return InvalidConfig(
      absl::StrCat("server.tls.ca_file: ", config.ca_file(), ": ", good.message()));
}

// The server's own certificate is shown where there is no other: who asks for none is not shown it,
// and who would not take it would take none even less.
ClientFiles FilesToOthers(const config::v1::TlsConfig& config) {
  const bool has_own = !config.client_certificate_file().empty();
  return {
      .ca_file = config.ca_file(),
      .certificate_file = has_own ? config.client_certificate_file() : config.certificate_file(),
      .key_file = has_own ? config.client_key_file() : config.key_file()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerTls>> ServerTls::Open(const config::v1::ServerConfig& config,
                                                           bool own_authority, absl::Time now) {
  const config::v1::TlsConfig& tls = config.tls();
  const bool has_files = !tls.certificate_file().empty();
  if (!UsesTls(tls, own_authority)) return nullptr;
  auto opened = std::make_unique<ServerTls>();
  const std::string directory = config.data_dir() + "/tls";
  std::unique_ptr<CertificateSource> source;
  if (has_files) {
    source = MakeCertificateFiles(tls.certificate_file(), tls.key_file());
    KANTOKU_ASSIGN_OR_RETURN(opened->authorities_, AuthoritiesOf(tls));
  } else {
    KANTOKU_ASSIGN_OR_RETURN(opened->authority_,
                             CertificateAuthority::LoadOrCreate(directory, now));
    opened->authorities_ = opened->authority_->certificate();
    source = MakeIssuedCertificates(*opened->authority_, NamesOf(config));
  }
  auto keeper = CertificateKeeper::Open(
      {.directory = directory, .authorities_file = tls.client_ca_file()}, std::move(source), now);
  if (!keeper.ok()) return Annotate(keeper.status(), "server.tls");
  opened->keeper_ = *std::move(keeper);
  return opened;
}

std::shared_ptr<grpc::ServerCredentials> ServerTls::MakeCredentials() const {
  const std::string& live = keeper_->live_file();
  const std::string& clients = keeper_->authorities_file();
  // One file for both, so that a key never meets another key's certificate.
  auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      live, live, clients, kWatchSeconds);
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  if (!clients.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

bool UsesTls(const config::v1::TlsConfig& config, bool own_authority) {
  if (config.off() || config.insecure_plaintext_beyond_loopback()) return false;
  return own_authority || !config.certificate_file().empty();
}

absl::StatusOr<OutwardTls> TlsToOthers(const config::v1::TlsConfig& config, bool has_tls) {
  OutwardTls outward;
  const bool says_how = !config.ca_file().empty() || !config.client_certificate_file().empty();
  outward.on_this_computer = has_tls || says_how;
  outward.on_other_computers = !config.insecure_plaintext_beyond_loopback();
  const ClientFiles files = FilesToOthers(config);
  if (files == ClientFiles()) return outward;
  KANTOKU_RETURN_IF_ERROR(AuthoritiesOf(config).status());
  auto live = WatchClientFiles(files);
  if (!live.ok()) return Annotate(live.status(), "server.tls");
  outward.tls.authorities_file = std::move(live->authorities);
  outward.tls.identity_file = std::move(live->identity);
  return outward;
}

}  // namespace kantoku::platform
