#ifndef KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATES_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATES_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::platform {

// What one shows, and the proof that it is one's own. Both are PEM.
struct KeyAndChain {
  std::string key_pem;
  std::string chain_pem;  // The own certificate, then its issuer, and so on.
};

// SHA-256 of a certificate's SubjectPublicKeyInfo. That of an authority stays the same when its
// certificate is made anew for the same key.
using Fingerprint = std::array<uint8_t, 32>;

// All of these are thread-safe. They fail with INVALID_ARGUMENT, INVALID_CERTIFICATE and a sentence
// that says what is wrong, with nothing of a key in it. A PEM text may hold other things between
// certificates, which are passed over.

// Whether a TLS library will serve with it and clients have no reason within it to refuse: the key
// is that of the first certificate, which is no authority and in its time; each is issued by the
// next; none is too weak. Whether clients trust the last one, and the names, is for them to say.
absl::Status CheckKeyAndChain(const KeyAndChain& pair, absl::Time now);

// Whether these are certificates of authorities, one or more, whose issued certificates can be
// verified. Their time is not looked at: one that has ended verifies nothing and harms no other.
absl::Status CheckAuthorities(std::string_view pem);

// When the first certificate ends.
absl::StatusOr<absl::Time> EndOf(std::string_view chain_pem);

// Of the last certificate: the authority, where there is a chain that shows it.
absl::StatusOr<Fingerprint> SpkiFingerprint(std::string_view pem);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_CERTIFICATES_H_
