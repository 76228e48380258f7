#include "services/platform/tls/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <catch2/catch.hpp>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/unit/platform/tls/certificates_kit.h"

namespace kantoku::platform {
namespace {

using test::IssueClient;
using test::IssueServer;
using test::kDay;
using test::kNow;
using test::LeafOf;
using test::MakeAuthority;
using test::Parse;
using tls::Owned;

// Two installations.
struct Fixture {
  test::TempDir directory;
  test::TempDir other_directory;
  std::unique_ptr<CertificateAuthority> authority = MakeAuthority(directory);
  std::unique_ptr<CertificateAuthority> other = MakeAuthority(other_directory);

  std::string authority_key() const { return test::Read(directory.File("ca.key")); }
};

void CheckRefused(const KeyAndChain& pair, std::string_view why, absl::Time now = kNow) {
  const absl::Status status = CheckKeyAndChain(pair, now);
  CAPTURE(status, why);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_CERTIFICATE");
  CHECK(absl::StrContains(status.message(), ToAbsl(why)));
  CHECK(::ERR_peek_error() == 0);  // gRPC would find it.
}

// `pem` with changes, signed again with `key`.
std::string Changed(const std::string& pem, EVP_PKEY& key,
                    const std::function<void(X509&)>& change) {
  const auto certificates = Parse(pem);
  change(*certificates.front());
  REQUIRE(::X509_sign(certificates.front().get(), &key, ::EVP_sha256()) > 0);
  return tls::PemOf(*certificates.front());
}

TEST_CASE("A pair of our own is good while its time lasts") {
  const Fixture f;
  for (const KeyAndChain& pair : {IssueServer(*f.authority), IssueClient(*f.authority)}) {
    CHECK(CheckKeyAndChain(pair, kNow).ok());
    CHECK(CheckKeyAndChain(pair, kNow + 30 * kDay).ok());
    CheckRefused(pair, "has ended at 2026-03-31", kNow + 30 * kDay + absl::Seconds(1));
    CheckRefused(pair, "is good only from", kNow - kDay);
  }
  CHECK(*EndOf(IssueServer(*f.authority).chain_pem) == kNow + 30 * kDay);
}

TEST_CASE("A pair may show less or more than the certificates and says nothing of it") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const std::string leaf = LeafOf(pair.chain_pem);
  CHECK(CheckKeyAndChain({pair.key_pem, leaf}, kNow).ok());
  const std::string all =
      absl::StrCat("subject=CN = a\n", pair.key_pem, "\nand\n", pair.chain_pem, "\nthe end\n");
  CHECK(CheckKeyAndChain({all, all}, kNow).ok());
}

TEST_CASE("A foreign key, an authority as leaf and a chain that does not hold are refused") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const KeyAndChain other = IssueServer(*f.other);
  const std::string leaf = LeafOf(pair.chain_pem);
  CheckRefused({other.key_pem, pair.chain_pem}, "the private key is not that of");
  CheckRefused({f.authority_key(), f.authority->certificate()}, "is that of an authority");
  CheckRefused({pair.key_pem, leaf + f.other->certificate()}, "certificate 1 (CN=Kantoku server)");
  CheckRefused({pair.key_pem, pair.chain_pem + f.other->certificate()},
               "certificate 2 (CN=Kantoku CA) is not issued by the one after it");
  CheckRefused({pair.key_pem, leaf + leaf}, "is not issued by the one after it");
  CheckRefused({pair.key_pem, f.authority->certificate() + leaf}, "the private key is not that of");
}

TEST_CASE("An issuer that only looks like the one that signed is refused") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const auto foreign_key = tls::ParseKey(pair.key_pem);
  // Its name and key id, but with another key.
  const std::string alike = Changed(f.authority->certificate(), **foreign_key, [&](X509& it) {
    REQUIRE(::X509_set_pubkey(&it, foreign_key->get()) == 1);
  });
  CheckRefused({pair.key_pem, LeafOf(pair.chain_pem) + alike}, "is not issued by");
}

TEST_CASE("What is no PEM, is cut off or asks for a passphrase is refused") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const std::string half_key = pair.key_pem.substr(0, pair.key_pem.size() / 2);
  const std::string half_chain = pair.chain_pem.substr(0, pair.chain_pem.size() - 100);
  for (const std::string& key : {std::string(), std::string("garbage"), half_key, pair.chain_pem}) {
    CheckRefused({key, pair.chain_pem}, "the private key cannot be read");
  }
  CheckRefused({pair.key_pem, ""}, "there is no certificate");
  CheckRefused({pair.key_pem, "garbage"}, "there is no certificate");
  CheckRefused({pair.key_pem, pair.key_pem}, "there is no certificate");
  CheckRefused({pair.key_pem, half_chain}, "certificate 2 cannot be read");
  std::string broken = pair.chain_pem;
  broken[60] = broken[60] == 'A' ? 'B' : 'A';
  CHECK_FALSE(CheckKeyAndChain({pair.key_pem, broken}, kNow).ok());
  const Owned<BIO> writer(::BIO_new(::BIO_s_mem()));
  char passphrase[] = "secret";
  REQUIRE(::PEM_write_bio_PKCS8PrivateKey(writer.get(), tls::ParseKey(pair.key_pem)->get(),
                                          ::EVP_aes_256_cbc(), passphrase, 6, nullptr,
                                          nullptr) == 1);
  char* data = nullptr;
  const auto size = ::BIO_get_mem_data(writer.get(), &data);
  CheckRefused({std::string(data, static_cast<size_t>(size)), pair.chain_pem}, "passphrase");
}

TEST_CASE("A key that TLS would not serve with is refused") {
  const Fixture f;
  const Owned<EVP_PKEY> weak(::EVP_RSA_gen(1'024));
  const auto authority_key = tls::ParseKey(f.authority_key());
  const std::string leaf =
      Changed(IssueServer(*f.authority).chain_pem, **authority_key,
              [&](X509& it) { REQUIRE(::X509_set_pubkey(&it, weak.get()) == 1); });
  CheckRefused({tls::PemOf(*weak), leaf + f.authority->certificate()}, "too weak");
}

TEST_CASE("Nothing of a key is in what is said about it") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const std::string secret = pair.key_pem.substr(40, 20);
  for (const KeyAndChain& bad :
       {KeyAndChain{pair.key_pem, pair.key_pem}, KeyAndChain{pair.key_pem, "garbage"},
        KeyAndChain{pair.key_pem, f.authority->certificate()},
        KeyAndChain{pair.key_pem.substr(0, 100), pair.chain_pem}}) {
    CHECK_FALSE(absl::StrContains(CheckKeyAndChain(bad, kNow).ToString(), secret));
  }
}

TEST_CASE("Authorities are one or more certificates of authorities and nothing broken") {
  const Fixture f;
  const std::string both = f.authority->certificate() + f.other->certificate();
  CHECK(CheckAuthorities(f.authority->certificate()).ok());
  CHECK(CheckAuthorities(both).ok());
  for (const std::string& bad :
       {std::string(), std::string("garbage"), IssueServer(*f.authority).chain_pem,
        both.substr(0, both.size() - 100)}) {
    CHECK(ReasonOf(CheckAuthorities(bad)) == "INVALID_CERTIFICATE");
    CHECK(::ERR_peek_error() == 0);
  }
}

TEST_CASE("A fingerprint is that of the last certificate's key, whatever certificate it has") {
  const Fixture f;
  const Fingerprint authority = *SpkiFingerprint(f.authority->certificate());
  CHECK(*SpkiFingerprint(IssueServer(*f.authority).chain_pem) == authority);
  CHECK(*SpkiFingerprint(f.other->certificate()) != authority);
  const auto key = tls::ParseKey(f.authority_key());
  const std::string renewed = Changed(f.authority->certificate(), **key, [](X509& it) {
    ::ASN1_INTEGER_set(::X509_get_serialNumber(&it), 7);
  });
  CHECK(*SpkiFingerprint(renewed) == authority);
  CHECK(ReasonOf(SpkiFingerprint("garbage").status()) == "INVALID_CERTIFICATE");
}

TEST_CASE("A fingerprint is SHA-256 of the SubjectPublicKeyInfo, as other tools compute it") {
  const Fixture f;
  const auto key = tls::ParseKey(f.authority_key());
  unsigned char* der = nullptr;
  const int size = ::i2d_PUBKEY(key->get(), &der);
  REQUIRE(size > 0);
  Fingerprint expected;
  REQUIRE(::EVP_Digest(der, static_cast<size_t>(size), expected.data(), nullptr, ::EVP_sha256(),
                       nullptr) == 1);
  ::OPENSSL_free(der);
  CHECK(*SpkiFingerprint(f.authority->certificate()) == expected);
}

}  // namespace
}  // namespace kantoku::platform
