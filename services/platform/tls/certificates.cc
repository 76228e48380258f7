#include "services/platform/tls/certificates.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/tls/x509.h"

namespace kantoku::platform {
namespace {

using tls::InvalidCertificate;
using tls::Owned;

// What TLS itself asks of keys and signatures, which a machine's OpenSSL may be told to make more.
absl::Status CheckStrength(const std::vector<Owned<X509>>& chain, EVP_PKEY& key) {
  const Owned<SSL_CTX> context(::SSL_CTX_new(::TLS_method()));
  KANTOKU_CHECK(context != nullptr);
  bool good = ::SSL_CTX_use_certificate(context.get(), chain.front().get()) == 1 &&
              ::SSL_CTX_use_PrivateKey(context.get(), &key) == 1;
  for (size_t i = 1; good && i < chain.size(); ++i) {
    good = ::SSL_CTX_add1_chain_cert(context.get(), chain[i].get()) == 1;
  }
  if (good) return absl::OkStatus();
  return InvalidCertificate("a key or a signature of the chain is too weak for TLS");
}

}  // namespace

absl::Status CheckKeyAndChain(const KeyAndChain& pair, absl::Time now) {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto key, tls::ParseKey(pair.key_pem));
  KANTOKU_ASSIGN_OR_RETURN(const auto chain, tls::ParseCertificates(pair.chain_pem));
  X509& leaf = *chain.front();
  if (::X509_check_private_key(&leaf, key.get()) != 1) {
    return InvalidCertificate(absl::StrCat("the private key is not that of the first certificate (",
                                           tls::SubjectOf(leaf), ")"));
  }
  if (::X509_check_ca(&leaf) != 0) {
    return InvalidCertificate(
        absl::StrCat("the first certificate (", tls::SubjectOf(leaf), ") is that of an authority"));
  }
  KANTOKU_RETURN_IF_ERROR(tls::CheckTime(leaf, "the first certificate", now));
  for (size_t i = 1; i < chain.size(); ++i) {
    if (tls::IsIssuedBy(*chain[i - 1], *chain[i])) continue;
    return InvalidCertificate(absl::StrCat("certificate ", i, " (", tls::SubjectOf(*chain[i - 1]),
                                           ") is not issued by the one after it (",
                                           tls::SubjectOf(*chain[i]), ")"));
  }
  return CheckStrength(chain, *key);
}

absl::Status CheckAuthorities(std::string_view pem) {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto authorities, tls::ParseCertificates(pem));
  for (const Owned<X509>& authority : authorities) {
    if (::X509_check_ca(authority.get()) >= 1) continue;
    return InvalidCertificate(
        absl::StrCat("the certificate of ", tls::SubjectOf(*authority), " is not of an authority"));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Time> EndOf(std::string_view chain_pem) {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto chain, tls::ParseCertificates(chain_pem));
  return tls::EndOf(*chain.front());
}

absl::StatusOr<Fingerprint> SpkiFingerprint(std::string_view pem) {
  const tls::ErrorQueue errors;
  KANTOKU_ASSIGN_OR_RETURN(const auto chain, tls::ParseCertificates(pem));
  return tls::SpkiFingerprint(*chain.back());
}

}  // namespace kantoku::platform
