#include "services/platform/tls/certificate_authority.h"

#include <arpa/inet.h>
#include <openssl/ec.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/check.h"
#include "services/platform/directories.h"
#include "services/platform/status.h"
#include "services/platform/tls/x509.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {

struct CertificateAuthority::Parts {
  tls::Owned<EVP_PKEY> key;
  tls::Owned<X509> certificate;
};

namespace {

using tls::Owned;

constexpr char kCommonName[] = "Kantoku CA";
constexpr absl::Duration kLifetime = absl::Hours(24 * 3'652);  // Ten years.
constexpr absl::Duration kClockDifference = absl::Hours(1);
constexpr int kSerialBits = 128;
constexpr size_t kMaxDnsName = 253;
constexpr size_t kMaxDnsLabel = 63;
constexpr size_t kMaxClientName = 255;
constexpr char kClientPrefix[] = "kantoku://client/";

absl::Status Unusable(const absl::Status& status, std::string_view path) {
  return Error(absl::StatusCode::kFailedPrecondition, "INVALID_CERTIFICATE",
               absl::StrCat(ToAbsl(path), ": ", status.message()));
}

absl::Status InvalidName(const std::string& name, std::string_view what) {
  return tls::InvalidCertificate(
      absl::StrCat("'", absl::CHexEscape(name.substr(0, kMaxDnsName)), "' ", ToAbsl(what)));
}

Owned<EVP_PKEY> NewKey() {
  Owned<EVP_PKEY> key(::EVP_EC_gen("P-256"));
  KANTOKU_CHECK(key != nullptr);
  return key;
}

// What every certificate has; without extensions and signature.
Owned<X509> NewCertificate(EVP_PKEY& key, const char* common_name, absl::Time from, absl::Time to) {
  Owned<X509> certificate(::X509_new());
  const Owned<BIGNUM> serial(::BN_new());
  KANTOKU_CHECK(certificate != nullptr && serial != nullptr);
  // Zero is no serial number, but nor does it come.
  KANTOKU_CHECK(::BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                ::BN_to_ASN1_INTEGER(serial.get(), ::X509_get_serialNumber(certificate.get())));
  const bool filled =
      ::X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
      ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(common_name), -1, -1,
                                   0) == 1 &&
      ::ASN1_TIME_set(::X509_getm_notBefore(certificate.get()), absl::ToTimeT(from)) != nullptr &&
      ::ASN1_TIME_set(::X509_getm_notAfter(certificate.get()), absl::ToTimeT(to)) != nullptr &&
      ::X509_set_pubkey(certificate.get(), &key) == 1;
  KANTOKU_CHECK(filled);
  return certificate;
}

// `value` is of ours alone: OpenSSL's language for extensions would understand what others put in.
void AddExtension(X509& certificate, X509& issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(::X509V3_EXT_conf_nid(nullptr, &context, id, value));
  KANTOKU_CHECK(extension != nullptr && ::X509_add_ext(&certificate, extension.get(), -1) == 1);
}

void Sign(X509& certificate, EVP_PKEY& key) {
  KANTOKU_CHECK(::X509_sign(&certificate, &key, ::EVP_sha256()) > 0);
}

Owned<X509> NewAuthority(EVP_PKEY& key, absl::Time now) {
  Owned<X509> certificate =
      NewCertificate(key, kCommonName, now - kClockDifference, now + kLifetime);
  KANTOKU_CHECK(
      ::X509_set_issuer_name(certificate.get(), ::X509_get_subject_name(certificate.get())) == 1);
  AddExtension(*certificate, *certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(*certificate, *certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(*certificate, *certificate, NID_subject_key_identifier, "hash");
  Sign(*certificate, key);
  return certificate;
}

// The key of the directory, or a new one.
absl::StatusOr<Owned<EVP_PKEY>> LoadOrCreateKey(const std::string& path,
                                                const std::string& certificate_path) {
  // Looked for first: a program that makes both just now makes the key before.
  const bool has_certificate = !absl::IsNotFound(ReadWholeFile(certificate_path).status());
  auto pem = ReadWholeFile(path, kForOwnerAlone);
  if (absl::IsNotFound(pem.status())) {
    if (has_certificate) {
      return Unusable(absl::NotFoundError(absl::StrCat(
                          "is missing, but ", certificate_path,
                          " is there. Put the key back; or take the certificate away, too, and "
                          "everybody who trusts this authority has to be told of the new one")),
                      path);
    }
    const absl::Status created = CreateWholeFile(path, tls::PemOf(*NewKey()));
    if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
    pem = ReadWholeFile(path, kForOwnerAlone);  // Perhaps another program's.
  }
  if (!pem.ok()) return pem.status();
  auto key = tls::ParseKey(*pem);
  if (!key.ok()) return Unusable(key.status(), path);
  return key;
}

absl::Status CheckAuthority(const std::vector<Owned<X509>>& certificates, EVP_PKEY& key,
                            absl::Time now) {
  constexpr char kWhatToDo[] = "; take it away, and a new one is made for the same key";
  X509& certificate = *certificates.front();
  if (certificates.size() != 1 || ::X509_check_private_key(&certificate, &key) != 1 ||
      ::X509_check_ca(&certificate) < 1) {
    return tls::InvalidCertificate(
        absl::StrCat("is not the certificate of the authority with this key", kWhatToDo));
  }
  const absl::Status in_time = tls::CheckTime(certificate, "the authority's certificate", now);
  return in_time.ok() ? in_time
                      : tls::InvalidCertificate(absl::StrCat(in_time.message(), kWhatToDo));
}

// The certificate of the directory, or a new one.
absl::StatusOr<Owned<X509>> LoadOrCreateCertificate(const std::string& path, EVP_PKEY& key,
                                                    absl::Time now) {
  auto pem = ReadWholeFile(path);
  if (absl::IsNotFound(pem.status())) {
    const absl::Status created = CreateWholeFile(path, tls::PemOf(*NewAuthority(key, now)));
    if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
    pem = ReadWholeFile(path);
  }
  if (!pem.ok()) return pem.status();
  auto certificates = tls::ParseCertificates(*pem);
  if (!certificates.ok()) return Unusable(certificates.status(), path);
  const absl::Status good = CheckAuthority(*certificates, key, now);
  if (!good.ok()) return Unusable(good, path);
  return std::move(certificates->front());
}

bool IsOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           others.find(c) != std::string_view::npos;
  });
}

// Of an IP address; nothing of what is none.
std::optional<std::string> AddressBytes(const std::string& text) {
  if (!IsOf(text, ".:")) return std::nullopt;  // As inet_pton stops at a zero byte.
  std::string bytes(sizeof(in6_addr), '\0');
  if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  bytes.resize(sizeof(in_addr));
  if (::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

// With underscores, which are in names that container engines give.
bool IsDnsName(const std::string& name) {
  const std::vector<std::string> labels = absl::StrSplit(name, '.');
  return name.size() <= kMaxDnsName && IsOf(name, ".-_") &&
         std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
           return !label.empty() && label.size() <= kMaxDnsLabel && label.front() != '-' &&
                  label.back() != '-';
         });
}

Owned<GENERAL_NAME> NewName(int type, std::string_view value) {
  Owned<GENERAL_NAME> name(::GENERAL_NAME_new());
  Owned<ASN1_OCTET_STRING> text(
      ::ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  KANTOKU_CHECK(name != nullptr && text != nullptr &&
                ::ASN1_STRING_set(text.get(), value.data(), static_cast<int>(value.size())) == 1);
  ::GENERAL_NAME_set0_value(name.get(), type, text.release());
  return name;
}

absl::StatusOr<Owned<GENERAL_NAME>> ServerName(const std::string& name) {
  if (const auto bytes = AddressBytes(name); bytes.has_value()) return NewName(GEN_IPADD, *bytes);
  if (IsDnsName(name)) return NewName(GEN_DNS, name);
  return InvalidName(name, "is neither a DNS name nor an IP address");
}

absl::StatusOr<Owned<GENERAL_NAME>> ClientName(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxClientName && IsOf(name, "._-")) {
    return NewName(GEN_URI, kClientPrefix + name);
  }
  return InvalidName(name, "is no name of a client: up to 255 letters, digits, '.', '_' and '-'");
}

absl::StatusOr<Owned<GENERAL_NAMES>> NamesOf(const CertificateAuthority::Leaf& leaf) {
  const bool of_server = leaf.kind == CertificateAuthority::Kind::kServer;
  std::vector<std::string> texts = leaf.names;
  if (of_server) texts.emplace_back(kInternalName);
  if (texts.empty()) return tls::InvalidCertificate("a client has at least one name");
  Owned<GENERAL_NAMES> names(::GENERAL_NAMES_new());
  KANTOKU_CHECK(names != nullptr);
  for (auto text = texts.begin(); text != texts.end(); ++text) {
    KANTOKU_ASSIGN_OR_RETURN(auto name, of_server ? ServerName(*text) : ClientName(*text));
    if (std::find(texts.begin(), text, *text) != text) continue;  // Once is enough.
    KANTOKU_CHECK(sk_GENERAL_NAME_push(names.get(), name.release()) > 0);
  }
  return names;
}

}  // namespace

CertificateAuthority::CertificateAuthority(std::unique_ptr<const Parts> parts,
                                           std::string certificate_pem)
    : parts_(std::move(parts)), certificate_pem_(std::move(certificate_pem)) {}

CertificateAuthority::~CertificateAuthority() = default;

absl::StatusOr<std::unique_ptr<CertificateAuthority>> CertificateAuthority::LoadOrCreate(
    const std::string& directory, absl::Time now) {
  const tls::ErrorQueue errors;
  const std::string key_path = directory + "/ca.key";
  const std::string certificate_path = directory + "/ca.pem";
  KANTOKU_RETURN_IF_ERROR(MakeDirectory(directory).status());
  KANTOKU_ASSIGN_OR_RETURN(auto key, LoadOrCreateKey(key_path, certificate_path));
  KANTOKU_ASSIGN_OR_RETURN(auto certificate, LoadOrCreateCertificate(certificate_path, *key, now));
  std::string pem = tls::PemOf(*certificate);
  auto parts = std::make_unique<Parts>(Parts{std::move(key), std::move(certificate)});
  return std::unique_ptr<CertificateAuthority>(
      new CertificateAuthority(std::move(parts), std::move(pem)));
}

absl::StatusOr<KeyAndChain> CertificateAuthority::Issue(const Leaf& leaf, absl::Time now) const {
  const tls::ErrorQueue errors;
  const bool of_server = leaf.kind == Kind::kServer;
  X509& issuer = *parts_->certificate;
  KANTOKU_ASSIGN_OR_RETURN(const auto names, NamesOf(leaf));
  if (leaf.lifetime <= absl::ZeroDuration()) {
    return tls::InvalidCertificate("a certificate has to live for some time");
  }
  if (now >= tls::EndOf(issuer)) {
    return Error(
        absl::StatusCode::kFailedPrecondition, "AUTHORITY_ENDED",
        absl::StrCat(
            "the authority has ended at ", absl::FormatTime(tls::EndOf(issuer)),
            "; take ca.pem away and start again, and a new certificate is made for the same key"));
  }
  const Owned<EVP_PKEY> key = NewKey();
  const Owned<X509> certificate =
      NewCertificate(*key, of_server ? "Kantoku server" : "Kantoku client", now - kClockDifference,
                     std::min(now + leaf.lifetime, tls::EndOf(issuer)));
  KANTOKU_CHECK(::X509_set_issuer_name(certificate.get(), ::X509_get_subject_name(&issuer)) == 1);
  AddExtension(*certificate, issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(*certificate, issuer, NID_key_usage, "critical,digitalSignature");
  AddExtension(*certificate, issuer, NID_ext_key_usage, of_server ? "serverAuth" : "clientAuth");
  AddExtension(*certificate, issuer, NID_subject_key_identifier, "hash");
  AddExtension(*certificate, issuer, NID_authority_key_identifier, "keyid:always");
  KANTOKU_CHECK(::X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, names.get(), 0,
                                    X509V3_ADD_DEFAULT) == 1);
  Sign(*certificate, *parts_->key);
  return KeyAndChain{.key_pem = tls::PemOf(*key),
                     .chain_pem = tls::PemOf(*certificate) + certificate_pem_};
}

}  // namespace kantoku::platform
