#include "services/platform/tls/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::platform::tls {
namespace {

Owned<BIO> ReaderOf(std::string_view text) {
  Owned<BIO> reader(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  KANTOKU_CHECK(reader != nullptr);
  return reader;
}

Owned<BIO> NewWriter() {
  Owned<BIO> writer(::BIO_new(::BIO_s_mem()));
  KANTOKU_CHECK(writer != nullptr);
  return writer;
}

std::string TextOf(BIO& writer) {
  char* data = nullptr;
  const auto size = ::BIO_get_mem_data(&writer, &data);
  return {data, static_cast<size_t>(size)};
}

// In place of OpenSSL's own, which would ask at the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*context*/) { return -1; }

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm fields{};
  if (::ASN1_TIME_to_tm(time, &fields) != 1) return absl::InfinitePast();
  return absl::FromTM(fields, absl::UTCTimeZone());
}

}  // namespace

ErrorQueue::ErrorQueue() { ::ERR_clear_error(); }
ErrorQueue::~ErrorQueue() { ::ERR_clear_error(); }

absl::Status InvalidCertificate(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_CERTIFICATE", what);
}

absl::StatusOr<Owned<EVP_PKEY>> ParseKey(std::string_view pem) {
  Owned<EVP_PKEY> key(
      ::PEM_read_bio_PrivateKey(ReaderOf(pem).get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return InvalidCertificate(
        "the private key cannot be read: it is to be PEM, without a passphrase");
  }
  return key;
}

absl::StatusOr<std::vector<Owned<X509>>> ParseCertificates(std::string_view pem) {
  const Owned<BIO> reader = ReaderOf(pem);
  std::vector<Owned<X509>> certificates;
  while (true) {
    Owned<X509> certificate(::PEM_read_bio_X509(reader.get(), nullptr, NoPassphrase, nullptr));
    if (certificate == nullptr) break;
    // OpenSSL reads extensions only when it needs them.
    if ((::X509_get_extension_flags(certificate.get()) & EXFLAG_INVALID) != 0) {
      return InvalidCertificate(
          absl::StrCat("certificate ", certificates.size() + 1, " has broken extensions"));
    }
    certificates.push_back(std::move(certificate));
  }
  if (ERR_GET_REASON(::ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
    return InvalidCertificate(
        absl::StrCat("certificate ", certificates.size() + 1, " cannot be read"));
  }
  ::ERR_clear_error();
  if (certificates.empty()) return InvalidCertificate("there is no certificate in PEM");
  return certificates;
}

std::string PemOf(const EVP_PKEY& key) {
  const Owned<BIO> writer = NewWriter();
  KANTOKU_CHECK(::PEM_write_bio_PKCS8PrivateKey(writer.get(), &key, nullptr, nullptr, 0, nullptr,
                                                nullptr) == 1);
  return TextOf(*writer);
}

std::string PemOf(const X509& certificate) {
  const Owned<BIO> writer = NewWriter();
  KANTOKU_CHECK(::PEM_write_bio_X509(writer.get(), &certificate) == 1);
  return TextOf(*writer);
}

std::string PemOf(const std::vector<Owned<X509>>& certificates) {
  std::string text;
  for (const Owned<X509>& certificate : certificates) text += PemOf(*certificate);
  return text;
}

std::string SubjectOf(const X509& certificate) {
  constexpr size_t kMaxSize = 200;
  const Owned<BIO> writer = NewWriter();
  // Escapes what is no printable ASCII.
  ::X509_NAME_print_ex(writer.get(), ::X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
  return TextOf(*writer).substr(0, kMaxSize);
}

absl::Time StartOf(const X509& certificate) { return TimeOf(::X509_get0_notBefore(&certificate)); }

absl::Time EndOf(const X509& certificate) { return TimeOf(::X509_get0_notAfter(&certificate)); }

Fingerprint SpkiFingerprint(const X509& certificate) {
  unsigned char* der = nullptr;
  const int size = ::i2d_X509_PUBKEY(::X509_get_X509_PUBKEY(&certificate), &der);
  KANTOKU_CHECK(size > 0);
  Fingerprint fingerprint;
  const int digested = ::EVP_Digest(der, static_cast<size_t>(size), fingerprint.data(), nullptr,
                                    ::EVP_sha256(), nullptr);
  ::OPENSSL_free(der);
  KANTOKU_CHECK(digested == 1);
  return fingerprint;
}

absl::Status CheckTime(const X509& certificate, std::string_view which, absl::Time now) {
  if (now < StartOf(certificate)) {
    return InvalidCertificate(absl::StrCat(ToAbsl(which), " (", SubjectOf(certificate),
                                           ") is good only from ",
                                           absl::FormatTime(StartOf(certificate))));
  }
  if (now > EndOf(certificate)) {
    return InvalidCertificate(absl::StrCat(ToAbsl(which), " (", SubjectOf(certificate),
                                           ") has ended at ",
                                           absl::FormatTime(EndOf(certificate))));
  }
  return absl::OkStatus();
}

bool IsIssuedBy(X509& certificate, X509& issuer) {
  EVP_PKEY* const key = ::X509_get0_pubkey(&issuer);  // Null when OpenSSL knows no such keys.
  return key != nullptr && ::X509_check_ca(&issuer) >= 1 &&
         ::X509_check_issued(&issuer, &certificate) == X509_V_OK &&
         ::X509_verify(&certificate, key) == 1;
}

}  // namespace kantoku::platform::tls
