#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificate_source.h"
#include "services/platform/tls/memory_file.h"
#include "services/platform/watched_files.h"

namespace kantoku::platform {

// Keeps the files that a TLS library watches. That library believes what it reads and would refuse
// every connection after a file that is half written or wrong; these are always good: only what was
// checked gets there, whole, by renaming, and when it differs. What is not good is a line of the
// log, once, and the one before stays.
//
// Thread-compatible: one thread refreshes, the paths may be read by all. Owns its source.
class CertificateKeeper {
 public:
  struct Options {
    // Is made where there is none; nobody else writes there. Empty: in memory, and then the paths
    // are for this process, for as long as the keeper lives.
    std::string directory;
    // Authorities of whoever is at the other end: a file, or the certificates themselves. Empty:
    // none.
    std::string authorities_file;
    std::string authorities;
  };

  // Fails as the source does when there is no good pair at the beginning, as CheckAuthorities does
  // for the authorities, and when the directory cannot be written to. Without a source there is no
  // pair.
  static absl::StatusOr<std::unique_ptr<CertificateKeeper>> Open(
      const Options& options, std::unique_ptr<CertificateSource> source, absl::Time now);

  // Brings the files up to date. To be called every now and then, at least each minute; cheap.
  void Refresh(absl::Time now);

  // `live.pem`: the key, then its chain; mode 0600. Empty when there is no source.
  const std::string& live_file() const { return live_.path; }
  // `authorities.pem`; empty when there are none.
  const std::string& authorities_file() const { return authorities_.path; }

 private:
  struct Kept {
    std::string path;                       // Empty: not kept.
    std::optional<tls::MemoryFile> memory;  // Where there is no directory.
    std::string wanted;
    std::string written;
    bool failing = false;
  };

  CertificateKeeper(const Options& options, std::unique_ptr<CertificateSource> source);

  absl::Status Place(const std::string& name, Kept& file) const;
  absl::Status NextPair(absl::Time now);
  absl::Status NextAuthorities();
  absl::Status WantAuthorities(const std::string& pem);
  static absl::Status Write(Kept& file);

  const std::unique_ptr<CertificateSource> source_;
  const Options options_;
  WatchedFiles authorities_source_;
  Kept live_;
  Kept authorities_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_KEEPER_H_
