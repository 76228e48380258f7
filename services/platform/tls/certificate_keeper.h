#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificate_source.h"
#include "services/platform/tls/watched_files.h"

namespace kantoku::platform {

// Keeps the files that a server's TLS library watches. That library believes what it reads and
// would refuse every connection after a file that is half written or wrong; these are always good:
// only what was checked gets there, whole, by renaming, and when it differs. What is not good is a
// line of the log, once, and the one before stays.
//
// Thread-compatible: one thread refreshes, the paths may be read by all. Owns its source.
class CertificateKeeper {
 public:
  struct Options {
    std::string directory;       // Is made where there is none; nobody else writes there.
    std::string client_ca_file;  // Authorities of clients, the operator's; empty: none.
  };

  // Fails as the source does when there is no good pair at the beginning, as CheckAuthorities does
  // for `client_ca_file`, and when the directory cannot be written to.
  static absl::StatusOr<std::unique_ptr<CertificateKeeper>> Open(
      const Options& options, std::unique_ptr<CertificateSource> source, absl::Time now);

  // Brings the files up to date. To be called every now and then, at least each minute; cheap.
  void Refresh(absl::Time now);

  // `live.pem`: the key, then its chain; mode 0600.
  const std::string& live_file() const { return live_.path; }
  // `clients.pem`; empty when there is no client_ca_file.
  const std::string& clients_file() const { return clients_.path; }

 private:
  struct Kept {
    std::string path;
    std::string wanted;
    std::string written;
    bool failing = false;
  };

  CertificateKeeper(const Options& options, std::unique_ptr<CertificateSource> source);

  absl::Status NextPair(absl::Time now);
  absl::Status NextClients();
  static absl::Status Write(Kept& file);

  const std::unique_ptr<CertificateSource> source_;
  const std::string client_ca_file_;
  tls::WatchedFiles clients_source_;
  Kept live_;
  Kept clients_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_
