#ifndef KANTOKU_SERVICES_PLATFORM_TLS_X509_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_X509_H_

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/tls/certificates.h"

// OpenSSL's objects as this folder uses them; outside, tests alone include this.
namespace kantoku::platform::tls {

struct Free {
  void operator()(ASN1_OCTET_STRING* text) const { ::ASN1_OCTET_STRING_free(text); }
  void operator()(BIGNUM* number) const { ::BN_free(number); }
  void operator()(BIO* bio) const { ::BIO_free_all(bio); }
  void operator()(EVP_PKEY* key) const { ::EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { ::EVP_PKEY_CTX_free(context); }
  void operator()(GENERAL_NAME* name) const { ::GENERAL_NAME_free(name); }
  void operator()(GENERAL_NAMES* names) const { ::GENERAL_NAMES_free(names); }
  void operator()(SSL* connection) const { ::SSL_free(connection); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(X509* certificate) const { ::X509_free(certificate); }
  void operator()(X509_EXTENSION* extension) const { ::X509_EXTENSION_free(extension); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// OpenSSL keeps a queue of errors for each thread, where gRPC would find what is ours: it is empty
// while one of these begins and after it ends.
class ErrorQueue {
 public:
  ErrorQueue();
  ~ErrorQueue();
  ErrorQueue(const ErrorQueue&) = delete;
  ErrorQueue& operator=(const ErrorQueue&) = delete;
};

// INVALID_ARGUMENT, INVALID_CERTIFICATE.
absl::Status InvalidCertificate(std::string_view what);

// The first private key of a PEM text. INVALID_CERTIFICATE when there is none, or one that is
// behind a passphrase; nobody is asked for it.
absl::StatusOr<Owned<EVP_PKEY>> ParseKey(std::string_view pem);
// All certificates of a PEM text, at least one; whatever else there is is passed over.
// INVALID_CERTIFICATE when one is broken.
absl::StatusOr<std::vector<Owned<X509>>> ParseCertificates(std::string_view pem);
std::string PemOf(const EVP_PKEY& key);  // PKCS#8.
std::string PemOf(const X509& certificate);
std::string PemOf(const std::vector<Owned<X509>>& certificates);

// Who a certificate is for, in one line for people.
std::string SubjectOf(const X509& certificate);
absl::Time StartOf(const X509& certificate);
absl::Time EndOf(const X509& certificate);
Fingerprint SpkiFingerprint(const X509& certificate);
// INVALID_CERTIFICATE unless `now` is in its time; `which` begins the sentence.
absl::Status CheckTime(const X509& certificate, std::string_view which, absl::Time now);
// Whether the key of `issuer`, which may do so, has signed `certificate`.
bool IsIssuedBy(X509& certificate, X509& issuer);

}  // namespace kantoku::platform::tls

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_X509_H_
