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

std::vector<WatchedFiles::File> ListOf(const std::string& path) {
  if (path.empty()) return {};
  return {{.path = path}};
}

}  // namespace

CertificateKeeper::CertificateKeeper(const Options& options,
                                     std::unique_ptr<CertificateSource> source)
    : source_(std::move(source)),
      options_(options),
      authorities_source_(ListOf(options.authorities_file)) {}

absl::StatusOr<std::unique_ptr<CertificateKeeper>> CertificateKeeper::Open(
    const Options& options, std::unique_ptr<CertificateSource> source, absl::Time now) {
  std::unique_ptr<CertificateKeeper> keeper(new CertificateKeeper(options, std::move(source)));
  KANTOKU_RETURN_IF_ERROR(keeper->NextPair(now));
  KANTOKU_RETURN_IF_ERROR(keeper->NextAuthorities());
  if (!options.authorities.empty()) {
    KANTOKU_RETURN_IF_ERROR(keeper->WantAuthorities(options.authorities));
  }
  if (!options.directory.empty()) {
    KANTOKU_RETURN_IF_ERROR(MakeDirectory(options.directory).status());
  }
  KANTOKU_RETURN_IF_ERROR(keeper->Place("live.pem", keeper->live_));
  KANTOKU_RETURN_IF_ERROR(keeper->Place("authorities.pem", keeper->authorities_));
  return keeper;
}

// Gives a file that is wanted its path and its first content.
absl::Status CertificateKeeper::Place(const std::string& name, Kept& file) const {
  if (file.wanted.empty()) return absl::OkStatus();
  if (options_.directory.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(tls::MemoryFile memory, tls::MemoryFile::Make());
    file.path = memory.path();
    file.memory.emplace(std::move(memory));
  } else {
    file.path = options_.directory + "/" + name;
  }
  return Write(file);
}

// Both files get what was understood, in our own writing, and nothing else of what was read.
absl::Status CertificateKeeper::NextPair(absl::Time now) {
  if (source_ == nullptr) return absl::OkStatus();
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto pair, source_->Next(now));
  if (!pair.has_value()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(const auto key, tls::ParseKey(pair->key_pem));
  KANTOKU_ASSIGN_OR_RETURN(const auto chain, tls::ParseCertificates(pair->chain_pem));
  live_.wanted = tls::PemOf(*key) + tls::PemOf(chain);
  return absl::OkStatus();
}

absl::Status CertificateKeeper::NextAuthorities() {
  KANTOKU_ASSIGN_OR_RETURN(const auto contents, authorities_source_.Look());
  if (!contents.has_value() || contents->empty()) return absl::OkStatus();
  return Annotate(WantAuthorities(contents->front()), options_.authorities_file);
}

absl::Status CertificateKeeper::WantAuthorities(const std::string& pem) {
  const tls::ErrorQueue errors;
  KANTOKU_RETURN_IF_ERROR(CheckAuthorities(pem));
  KANTOKU_ASSIGN_OR_RETURN(const auto authorities, tls::ParseCertificates(pem));
  authorities_.wanted = tls::PemOf(authorities);
  return absl::OkStatus();
}

// An error is given once, until it succeeds.
absl::Status CertificateKeeper::Write(Kept& file) {
  if (file.wanted == file.written) return absl::OkStatus();
  const absl::Status status = file.memory.has_value() ? file.memory->Replace(file.wanted)
                                                      : ReplaceWholeFile(file.path, file.wanted);
  if (status.ok()) file.written = file.wanted;
  const bool known = std::exchange(file.failing, !status.ok());
  return known ? absl::OkStatus() : status;
}

void CertificateKeeper::Refresh(absl::Time now) {
  LogError("tls: the certificate stays as it was", NextPair(now));
  LogError("tls: the authorities stay as they were", NextAuthorities());
  LogError("tls: a file cannot be written", Write(live_));
  LogError("tls: a file cannot be written", Write(authorities_));
}

}  // namespace kantoku::platform
