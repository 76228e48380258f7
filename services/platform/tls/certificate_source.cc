#include "services/platform/tls/certificate_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/watched_files.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kLifetime = absl::Hours(24 * 30);

class CertificateFiles final : public CertificateSource {
 public:
  CertificateFiles(const std::string& certificate_file, const std::string& key_file)
      : context_(absl::StrCat(certificate_file, ", ", key_file)),
        files_({{.path = certificate_file}, {.path = key_file, .forbidden = S_IRWXO}}) {}

  absl::StatusOr<std::optional<KeyAndChain>> Next(absl::Time now) override {
    KANTOKU_ASSIGN_OR_RETURN(auto contents, files_.Look());
    if (!contents.has_value()) return std::nullopt;
    KeyAndChain pair{.key_pem = std::move(contents->back()),
                     .chain_pem = std::move(contents->front())};
    KANTOKU_RETURN_IF_ERROR(Annotate(CheckKeyAndChain(pair, now), context_));
    return pair;
  }

 private:
  const std::string context_;
  WatchedFiles files_;
};

class IssuedCertificates final : public CertificateSource {
 public:
  IssuedCertificates(const CertificateAuthority& authority, std::vector<std::string> names)
      : authority_(authority),
        leaf_{.kind = CertificateAuthority::Kind::kServer,
              .names = std::move(names),
              .lifetime = kLifetime} {}

  absl::StatusOr<std::optional<KeyAndChain>> Next(absl::Time now) override {
    if (now >= issued_ && now < renewal_) return std::nullopt;
    auto pair = authority_.Issue(leaf_, now);
    if (!pair.ok()) {
      if (std::exchange(failing_, true)) return std::nullopt;
      return pair.status();
    }
    failing_ = false;
    issued_ = now;
    // Its authority may end sooner.
    KANTOKU_ASSIGN_OR_RETURN(const absl::Time end, EndOf(pair->chain_pem));
    renewal_ = std::min(now + kLifetime * 2 / 3, end);
    return *std::move(pair);
  }

 private:
  const CertificateAuthority& authority_;
  const CertificateAuthority::Leaf leaf_;
  absl::Time issued_ = absl::InfiniteFuture();
  absl::Time renewal_ = absl::InfinitePast();
  bool failing_ = false;
};

}  // namespace

std::unique_ptr<CertificateSource> MakeCertificateFiles(const std::string& certificate_file,
                                                        const std::string& key_file) {
  return std::make_unique<CertificateFiles>(certificate_file, key_file);
}

std::unique_ptr<CertificateSource> MakeIssuedCertificates(const CertificateAuthority& authority,
                                                          std::vector<std::string> names) {
  return std::make_unique<IssuedCertificates>(authority, std::move(names));
}

}  // namespace kantoku::platform
