#include "services/platform/tls/certificate_authority.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "services/platform/status.h"
#include "tests/unit/platform/tls/certificates_kit.h"

namespace kantoku::platform {
namespace {

using test::IssueClient;
using test::IssueServer;
using test::kDay;
using test::kNow;
using test::MakeAuthority;
using test::Parse;
using test::Verify;
using tls::Owned;
using Leaf = CertificateAuthority::Leaf;
using Kind = CertificateAuthority::Kind;

absl::Status FailureOf(const std::string& directory, absl::Time now = kNow) {
  return CertificateAuthority::LoadOrCreate(directory, now).status();
}

bool IsAbsent(const std::string& path) { return !std::filesystem::exists(path); }

TEST_CASE("An authority is made once, and is the same after each start") {
  const test::TempDir directory;
  const auto first = MakeAuthority(directory);
  const auto second = MakeAuthority(directory);
  CHECK(first->certificate() == second->certificate());
  CHECK(Verify(IssueServer(*second).chain_pem, first->certificate(), kNow) == X509_V_OK);
  CHECK(test::ModeOf(directory.File("ca.key")) == 0600);
  CHECK(test::Read(directory.File("ca.pem")) == first->certificate());
  CHECK(absl::StartsWith(test::Read(directory.File("ca.key")), "-----BEGIN PRIVATE KEY-----"));
  const auto files = std::filesystem::directory_iterator(directory.path());
  CHECK(std::distance(begin(files), end(files)) == 2);  // Nothing unfinished.
}

TEST_CASE("An authority may issue leaves and no other authorities, for ten years") {
  const test::TempDir directory;
  const auto certificates = Parse(MakeAuthority(directory)->certificate());
  REQUIRE(certificates.size() == 1);
  X509* const certificate = certificates.front().get();
  CHECK(::X509_check_ca(certificate) == 1);
  CHECK(::X509_get_pathlen(certificate) == 0);
  CHECK(::X509_get_key_usage(certificate) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  CHECK(::X509_get0_subject_key_id(certificate) != nullptr);
  for (const int id : {NID_basic_constraints, NID_key_usage}) {
    const int at = ::X509_get_ext_by_NID(certificate, id, -1);
    REQUIRE(at >= 0);
    CHECK(::X509_EXTENSION_get_critical(::X509_get_ext(certificate, at)) == 1);
  }
  CHECK(tls::SubjectOf(*certificate) == "CN=Kantoku CA");
  CHECK(tls::EndOf(*certificate) == kNow + 3'652 * kDay);
}

TEST_CASE("A crash between key and certificate does not lock out: the key gets a certificate") {
  const test::TempDir directory;
  const auto before = MakeAuthority(directory);
  const KeyAndChain issued = IssueServer(*before);
  REQUIRE(::unlink(directory.File("ca.pem").c_str()) == 0);
  const auto after = MakeAuthority(directory);
  CHECK(after->certificate() != before->certificate());
  CHECK(*SpkiFingerprint(after->certificate()) == *SpkiFingerprint(before->certificate()));
  CHECK(Verify(issued.chain_pem, after->certificate(), kNow) == X509_V_OK);
  CHECK(Verify(IssueServer(*after).chain_pem, before->certificate(), kNow) == X509_V_OK);
}

TEST_CASE("Programs that start at once have one authority") {
  const test::TempDir directory;
  std::vector<std::unique_ptr<CertificateAuthority>> authorities(8);
  std::vector<std::thread> programs;
  programs.reserve(authorities.size());
  for (auto& authority : authorities) {
    programs.emplace_back([&] {
      auto made = CertificateAuthority::LoadOrCreate(directory.path() + "/tls", kNow);
      if (made.ok()) authority = *std::move(made);
    });
  }
  for (std::thread& program : programs) program.join();
  for (const auto& authority : authorities) {
    REQUIRE(authority != nullptr);
    CHECK(authority->certificate() == authorities.front()->certificate());
    CHECK(Verify(IssueServer(*authority).chain_pem, authorities.front()->certificate(), kNow) ==
          X509_V_OK);
  }
}

TEST_CASE("A key that others may read is refused and stays as it is") {
  const test::TempDir directory;
  MakeAuthority(directory);
  const std::string key = test::Read(directory.File("ca.key"));
  for (const mode_t mode : {0640, 0604, 0620}) {
    REQUIRE(::chmod(directory.File("ca.key").c_str(), mode) == 0);
    const absl::Status status = FailureOf(directory.path());
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == "FILE_EXPOSED");
    CHECK(absl::StrContains(status.message(), directory.File("ca.key")));
  }
  CHECK(test::Read(directory.File("ca.key")) == key);
}

TEST_CASE("A certificate whose key is lost is no reason to make another authority in silence") {
  const test::TempDir directory;
  MakeAuthority(directory);
  REQUIRE(::unlink(directory.File("ca.key").c_str()) == 0);
  const absl::Status status = FailureOf(directory.path());
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(absl::StrContains(status.message(), "is missing"));
  CHECK(IsAbsent(directory.File("ca.key")));
}

TEST_CASE("An authority's files that are broken, of another or at their end are refused") {
  const test::TempDir directory;
  const test::TempDir other;
  const auto authority = MakeAuthority(directory);
  const std::string foreign = MakeAuthority(other)->certificate();
  const std::string leaf = test::LeafOf(IssueServer(*authority).chain_pem);
  const std::string key = test::Read(directory.File("ca.key"));
  for (const std::string& pem :
       {foreign, leaf, authority->certificate() + foreign, std::string("garbage"), std::string()}) {
    test::Replace(directory.File("ca.pem"), pem);
    const absl::Status status = FailureOf(directory.path());
    CAPTURE(pem, status);
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == "INVALID_CERTIFICATE");
    CHECK(test::Read(directory.File("ca.pem")) == pem);
  }
  test::Replace(directory.File("ca.pem"), authority->certificate());
  for (const absl::Time now : {kNow + 3'653 * kDay, kNow - kDay}) {
    CHECK(ReasonOf(FailureOf(directory.path(), now)) == "INVALID_CERTIFICATE");
  }
  test::Replace(directory.File("ca.key"), "garbage");
  CHECK(ReasonOf(FailureOf(directory.path())) == "INVALID_CERTIFICATE");
  test::Replace(directory.File("ca.key"), key);
  CHECK(FailureOf(directory.path()).ok());
}

TEST_CASE("A server is found under its names, its addresses and the internal name") {
  const test::TempDir directory;
  const auto authority = MakeAuthority(directory);
  const auto pair = IssueServer(
      *authority, kNow, {"a.example", "my_box", "10.0.0.7", "::1", "a.example", kInternalName});
  CHECK(CheckKeyAndChain(pair, kNow).ok());
  const auto chain = Parse(pair.chain_pem);
  REQUIRE(chain.size() == 2);
  CHECK(tls::PemOf(*chain.back()) == authority->certificate());
  X509* const leaf = chain.front().get();
  for (const char* name : {"a.example", "my_box", "kantoku.internal"}) {
    CAPTURE(name);
    CHECK(::X509_check_host(leaf, name, 0, 0, nullptr) == 1);
  }
  CHECK(::X509_check_host(leaf, "b.example", 0, 0, nullptr) == 0);
  CHECK(::X509_check_ip_asc(leaf, "10.0.0.7", 0) == 1);
  CHECK(::X509_check_ip_asc(leaf, "::1", 0) == 1);
  CHECK(::X509_check_ip_asc(leaf, "10.0.0.8", 0) == 0);
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(
      ::X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
  CHECK(sk_GENERAL_NAME_num(names.get()) == 5);
}

TEST_CASE("A leaf is good for one of server and client, never for both nor as an authority") {
  const test::TempDir directory;
  const auto authority = MakeAuthority(directory);
  const KeyAndChain server = IssueServer(*authority);
  const KeyAndChain client = IssueClient(*authority);
  CHECK(Verify(server.chain_pem, authority->certificate(), kNow, X509_PURPOSE_SSL_SERVER) ==
        X509_V_OK);
  CHECK(Verify(client.chain_pem, authority->certificate(), kNow, X509_PURPOSE_SSL_CLIENT) ==
        X509_V_OK);
  CHECK(Verify(server.chain_pem, authority->certificate(), kNow, X509_PURPOSE_SSL_CLIENT) ==
        X509_V_ERR_INVALID_PURPOSE);
  CHECK(Verify(client.chain_pem, authority->certificate(), kNow, X509_PURPOSE_SSL_SERVER) ==
        X509_V_ERR_INVALID_PURPOSE);
  for (const KeyAndChain& pair : {server, client}) {
    const auto chain = Parse(pair.chain_pem);
    X509* const leaf = chain.front().get();
    CHECK(::X509_check_ca(leaf) == 0);
    CHECK((::X509_get_extension_flags(leaf) & (EXFLAG_BCONS | EXFLAG_CA)) == EXFLAG_BCONS);
    CHECK(::X509_get_key_usage(leaf) == KU_DIGITAL_SIGNATURE);
    CHECK(::X509_get0_subject_key_id(leaf) != nullptr);
    REQUIRE(::X509_get0_authority_key_id(leaf) != nullptr);
    CHECK(::ASN1_OCTET_STRING_cmp(::X509_get0_authority_key_id(leaf),
                                  ::X509_get0_subject_key_id(chain.back().get())) == 0);
  }
  CHECK(::X509_get_extended_key_usage(Parse(server.chain_pem).front().get()) == XKU_SSL_SERVER);
  CHECK(::X509_get_extended_key_usage(Parse(client.chain_pem).front().get()) == XKU_SSL_CLIENT);
}

TEST_CASE("A client is named by one URI") {
  const test::TempDir directory;
  const KeyAndChain client = IssueClient(*MakeAuthority(directory));
  CHECK(CheckKeyAndChain(client, kNow).ok());
  const Owned<GENERAL_NAMES> names(static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(
      Parse(client.chain_pem).front().get(), NID_subject_alt_name, nullptr, nullptr)));
  REQUIRE(sk_GENERAL_NAME_num(names.get()) == 1);
  const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), 0);
  REQUIRE(name->type == GEN_URI);
  const ASN1_STRING* const uri = name->d.uniformResourceIdentifier;
  CHECK(std::string(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(uri)),
                    static_cast<size_t>(::ASN1_STRING_length(uri))) == "kantoku://client/laptop-1");
}

TEST_CASE("What is no name gets into no certificate") {
  const test::TempDir directory;
  const auto authority = MakeAuthority(directory);
  const auto issue = [&](Kind kind, const std::vector<std::string>& names) {
    return authority->Issue({.kind = kind, .names = names, .lifetime = kDay}, kNow).status();
  };
  const std::string nul("a\0b", 3);
  for (const std::string& name :
       {std::string(), nul, "10.0.0.7" + nul.substr(1), std::string("a,URI:kantoku://client/b"),
        std::string("a b"), std::string("*.a"), std::string("a..b"), std::string("a."),
        std::string("-a"), std::string("[::1]"), std::string("1.2.3.4:80"), std::string("\xc3\xa4"),
        std::string(64, 'a'), std::string(300, 'a')}) {
    CAPTURE(name);
    const absl::Status status = issue(Kind::kServer, {"good.example", name});
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(status) == "INVALID_CERTIFICATE");
  }
  for (const std::string& name :
       {std::string(), nul, "10.0.0.7" + nul.substr(1), std::string("a/b"), std::string("a?b"),
        std::string("a,DNS:b"), std::string("a\n"), std::string("%61"), std::string(256, 'a')}) {
    CAPTURE(name);
    CHECK(ReasonOf(issue(Kind::kClient, {name})) == "INVALID_CERTIFICATE");
  }
  CHECK(ReasonOf(issue(Kind::kClient, {})) == "INVALID_CERTIFICATE");
  CHECK(issue(Kind::kServer, {}).ok());
}

TEST_CASE("A leaf lives from an hour before, as long as asked for, and ends with its authority") {
  const test::TempDir directory;
  const auto authority = MakeAuthority(directory);
  const auto leaf = [&](absl::Time now) {
    return std::move(Parse(IssueServer(*authority, now).chain_pem).front());
  };
  CHECK(tls::StartOf(*leaf(kNow)) == kNow - absl::Hours(1));
  CHECK(tls::EndOf(*leaf(kNow)) == kNow + 30 * kDay);
  const absl::Time end = *EndOf(authority->certificate());
  CHECK(tls::EndOf(*leaf(end - kDay)) == end);
  const auto too_late = authority->Issue({.lifetime = kDay}, end);
  CHECK(too_late.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(too_late.status()) == "AUTHORITY_ENDED");
  CHECK(ReasonOf(authority->Issue({.lifetime = absl::ZeroDuration()}, kNow).status()) ==
        "INVALID_CERTIFICATE");
}

TEST_CASE("Each leaf has a key and a serial number of its own") {
  const test::TempDir directory;
  const auto authority = MakeAuthority(directory);
  std::set<std::string> keys;
  std::set<std::string> serials;
  int longest = 0;
  for (int i = 0; i < 20; ++i) {
    const KeyAndChain pair = IssueServer(*authority);
    keys.insert(pair.key_pem);
    const auto chain = Parse(pair.chain_pem);
    const Owned<BIGNUM> serial(
        ::ASN1_INTEGER_to_BN(::X509_get0_serialNumber(chain.front().get()), nullptr));
    longest = std::max(longest, ::BN_num_bits(serial.get()));
    char* const text = ::BN_bn2hex(serial.get());
    serials.insert(text);
    ::OPENSSL_free(text);
  }
  CHECK(keys.size() == 20);
  CHECK(serials.size() == 20);
  CHECK(longest > 120);
  CHECK(longest <= 128);
}

}  // namespace
}  // namespace kantoku::platform
