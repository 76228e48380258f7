#include "services/platform/tls/certificate_keeper.h"

#include <utility>
#include <vector>

#include "services/platform/directories.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"
#include "services/platform/tls/x509.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

void LogError(std::string_view what, const absl::Status& status) {
  if (status.ok()) return;
  Log(LogLevel::kError, what, {{"error", std::string(status.message())}});
}

std::vector<tls::WatchedFiles::File> ListOf(const std::string& path) {
  if (path.empty()) return {};
  return {{.path = path}};
}

}  // namespace

CertificateKeeper::CertificateKeeper(const Options& options,
                                     std::unique_ptr<CertificateSource> source)
    : source_(std::move(source)),
      client_ca_file_(options.client_ca_file),
      clients_source_(ListOf(options.client_ca_file)),
      live_{.path = options.directory + "/live.pem"},
      clients_{.path = client_ca_file_.empty() ? "" : options.directory + "/clients.pem"} {}

absl::StatusOr<std::unique_ptr<CertificateKeeper>> CertificateKeeper::Open(
    const Options& options, std::unique_ptr<CertificateSource> source, absl::Time now) {
  std::unique_ptr<CertificateKeeper> keeper(new CertificateKeeper(options, std::move(source)));
  KANTOKU_RETURN_IF_ERROR(keeper->NextPair(now));
  KANTOKU_RETURN_IF_ERROR(keeper->NextClients());
  KANTOKU_RETURN_IF_ERROR(MakeDirectory(options.directory).status());
  KANTOKU_RETURN_IF_ERROR(Write(keeper->live_));
  KANTOKU_RETURN_IF_ERROR(Write(keeper->clients_));
  return keeper;
}

// Both files get what was understood, in our own writing, and nothing else of what was read.
absl::Status CertificateKeeper::NextPair(absl::Time now) {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto pair, source_->Next(now));
  if (!pair.has_value()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(const auto key, tls::ParseKey(pair->key_pem));
  KANTOKU_ASSIGN_OR_RETURN(const auto chain, tls::ParseCertificates(pair->chain_pem));
  live_.wanted = tls::PemOf(*key) + tls::PemOf(chain);
  return absl::OkStatus();
}

absl::Status CertificateKeeper::NextClients() {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto contents, clients_source_.Look());
  if (!contents.has_value()) return absl::OkStatus();
  KANTOKU_RETURN_IF_ERROR(Annotate(CheckAuthorities(contents->front()), client_ca_file_));
  KANTOKU_ASSIGN_OR_RETURN(const auto authorities, tls::ParseCertificates(contents->front()));
  clients_.wanted = tls::PemOf(authorities);
  return absl::OkStatus();
}

// An error is given once, until it succeeds.
absl::Status CertificateKeeper::Write(Kept& file) {
  if (file.wanted == file.written) return absl::OkStatus();
  const absl::Status status = ReplaceWholeFile(file.path, file.wanted);
  if (status.ok()) file.written = file.wanted;
  const bool known = std::exchange(file.failing, !status.ok());
  return known ? absl::OkStatus() : status;
}

void CertificateKeeper::Refresh(absl::Time now) {
  LogError("tls: the certificate stays as it was", NextPair(now));
  LogError("tls: the authorities of clients stay as they were", NextClients());
  LogError("tls: a file cannot be written", Write(live_));
  LogError("tls: a file cannot be written", Write(clients_));
}

}  // namespace kantoku::platform
