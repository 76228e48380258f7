#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_SOURCE_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_SOURCE_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/certificates.h"

namespace kantoku::platform {

// Where a server's certificate comes from.
//
// Thread-compatible.
class CertificateSource {
 public:
  virtual ~CertificateSource() = default;

  // A pair to use from now on, which passes CheckKeyAndChain; nothing when the one before is to
  // stay. The first call gives one or fails. May be called often: nothing but a look at the time or
  // at files' dates is done unless they have changed.
  //
  // An error says why there is no pair, or no newer one, and is given once for each cause; the pair
  // before stays.
  virtual absl::StatusOr<std::optional<KeyAndChain>> Next(absl::Time now) = 0;
};

// An operator's files in PEM, which may be one and the same. They are read again when they change.
// The first of two that change one after the other makes a pair that is no good; the second mends
// it.
//
// Fails as CheckKeyAndChain does; FILE_EXPOSED when everybody has access to the key, while its
// group may have.
std::unique_ptr<CertificateSource> MakeCertificateFiles(const std::string& certificate_file,
                                                        const std::string& key_file);

// Certificates of a server of these names (CertificateAuthority::Leaf) by our own authority, which
// outlives the source. They live for 30 days; a new one is issued after two thirds of that, and
// when the clock has gone back to before it was issued. Fails as CertificateAuthority::Issue does.
std::unique_ptr<CertificateSource> MakeIssuedCertificates(const CertificateAuthority& authority,
                                                          std::vector<std::string> names);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATE_SOURCE_H_
