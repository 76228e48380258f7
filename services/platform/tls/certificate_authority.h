#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_AUTHORITY_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_AUTHORITY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificates.h"

namespace kantoku::platform {

// A name that every server of an installation has beside its own ones. A server may be reached
// under names that it cannot know (through DNS, a tunnel, address translation); who trusts this
// authority alone can ask for this name instead. That is sound because an authority belongs to one
// installation and issues certificates of servers to its servers only.
inline constexpr char kInternalName[] = "kantoku.internal";

// An installation's own authority: issues the certificates of its servers and of clients.
//
// Durable: `ca.key` (P-256, PKCS#8 in PEM, mode 0600) and `ca.pem` (self-signed, ten years) in its
// directory. Each is made whole or not at all, the key first; a key without its certificate is
// given a new one, with which everything that was issued before still verifies.
//
// Thread-compatible. Owns its key.
class CertificateAuthority {
 public:
  enum class Kind : uint8_t { kServer, kClient };
  struct Leaf {
    Kind kind = Kind::kServer;
    // Of a server: DNS names and IP addresses, to which kInternalName is added. Of a client: at
    // least one, of letters, digits, '.', '_' and '-', which becomes kantoku://client/NAME.
    std::vector<std::string> names;
    absl::Duration lifetime;
  };

  // Makes the directory and the files where there are none.
  //
  // FAILED_PRECONDITION names the file and what is to be done: FILE_EXPOSED when others than
  // the owner have access to the key, INVALID_CERTIFICATE when a file is broken, the certificate is
  // not that of the key, has ended, or is there without its key. Then nothing was made or changed.
  static absl::StatusOr<std::unique_ptr<CertificateAuthority>> LoadOrCreate(
      const std::string& directory, absl::Time now);

  ~CertificateAuthority();

  // Its own certificate in PEM.
  const std::string& certificate() const { return certificate_pem_; }

  // A fresh key with a certificate that is good for exactly one of the two: to be a server or to be
  // a client; the authority's own certificate follows in the chain. It is good from an hour before
  // `now`, as clocks differ, and ends with the authority at the latest.
  //
  // INVALID_ARGUMENT, INVALID_CERTIFICATE names the name or lifetime that cannot be;
  // FAILED_PRECONDITION, AUTHORITY_ENDED.
  absl::StatusOr<KeyAndChain> Issue(const Leaf& leaf, absl::Time now) const;

 private:
  struct Parts;

  CertificateAuthority(std::unique_ptr<const Parts> parts, std::string certificate_pem);

  const std::unique_ptr<const Parts> parts_;
  const std::string certificate_pem_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_AUTHORITY_H_
