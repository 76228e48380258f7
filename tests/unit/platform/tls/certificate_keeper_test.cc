#include "services/platform/tls/certificate_keeper.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/unit/platform/tls/certificates_kit.h"

namespace kantoku::platform {
namespace {

using test::IssueServer;
using test::kDay;
using test::kNow;
using test::MakeAuthority;
using test::Read;
using test::Replace;

// Which file it is: another one after each renaming.
ino_t NumberOf(const std::string& path) {
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_ino;
}

struct Fixture {
  test::TempDir directory;
  test::TempDir operators;
  std::unique_ptr<CertificateAuthority> authority = MakeAuthority(operators);
  std::string certificate_file = operators.File("server.pem");
  std::string key_file = operators.File("server.key");
  std::string client_ca_file;

  void Put(const KeyAndChain& pair) const {
    Replace(certificate_file, pair.chain_pem, 0644);
    Replace(key_file, pair.key_pem);
  }
  auto Open(std::unique_ptr<CertificateSource> source, absl::Time now = kNow) const {
    return CertificateKeeper::Open(
        {.directory = directory.File("tls"), .authorities_file = client_ca_file}, std::move(source),
        now);
  }
  auto OpenFiles(absl::Time now = kNow) const {
    return Open(MakeCertificateFiles(certificate_file, key_file), now);
  }
  auto OpenIssued() const { return Open(MakeIssuedCertificates(*authority, {"localhost"})); }
};

std::string TextOf(const KeyAndChain& pair) { return pair.key_pem + pair.chain_pem; }

TEST_CASE("The file has key and chain, for us only, and is not touched while nothing changes") {
  const Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  f.Put(pair);
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  const std::string path = (*keeper)->live_file();
  CHECK(path == f.directory.File("tls/live.pem"));
  CHECK((*keeper)->authorities_file().empty());
  CHECK(Read(path) == TextOf(pair));
  CHECK(test::ModeOf(path) == 0600);
  const ino_t number = NumberOf(path);
  f.Put(pair);  // Written anew, but the same.
  for (int i = 0; i < 10; ++i) (*keeper)->Refresh(kNow + i * absl::Milliseconds(250));
  CHECK(NumberOf(path) == number);
  const auto files = std::filesystem::directory_iterator(f.directory.File("tls"));
  CHECK(std::distance(begin(files), end(files)) == 1);  // Nothing unfinished.
}

TEST_CASE("A new pair of the operator takes the place of the old one, in another file") {
  const Fixture f;
  f.Put(IssueServer(*f.authority));
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  const ino_t number = NumberOf((*keeper)->live_file());
  const KeyAndChain next = IssueServer(*f.authority);
  test::LogLines log;
  f.Put(next);
  (*keeper)->Refresh(kNow);
  CHECK(Read((*keeper)->live_file()) == TextOf(next));
  CHECK(NumberOf((*keeper)->live_file()) != number);
  CHECK(log.Take().empty());
}

TEST_CASE("A bad pair is one line of the log, and the old one stays until there is a good one") {
  const Fixture f;
  const KeyAndChain old = IssueServer(*f.authority);
  f.Put(old);
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  test::LogLines log;
  const KeyAndChain next = IssueServer(*f.authority);
  const auto refresh = [&] {
    for (int i = 0; i < 5; ++i) (*keeper)->Refresh(kNow);
    return log.Take();
  };
  Replace(f.certificate_file, next.chain_pem);  // Its key comes later.
  auto lines = refresh();
  REQUIRE(lines.size() == 1);
  CHECK(absl::StrContains(lines.front(), "the private key is not that of"));
  CHECK(absl::StrContains(lines.front(), f.certificate_file));
  Replace(f.certificate_file, "garbage");
  CHECK(refresh().size() == 1);
  Replace(f.certificate_file, IssueServer(*f.authority, kNow - 60 * kDay).chain_pem);
  CHECK(refresh().size() == 1);
  REQUIRE(::unlink(f.certificate_file.c_str()) == 0);
  CHECK(refresh().size() == 1);
  CHECK(Read((*keeper)->live_file()) == TextOf(old));
  Replace(f.certificate_file, next.chain_pem);
  CHECK(refresh().size() == 1);
  CHECK(Read((*keeper)->live_file()) == TextOf(old));
  Replace(f.key_file, next.key_pem);
  CHECK(refresh().empty());
  CHECK(Read((*keeper)->live_file()) == TextOf(next));
}

TEST_CASE("A keeper does not open without a good pair, and then writes nothing") {
  const Fixture f;
  const auto refused = [&](std::string_view reason) {
    const absl::Status status = f.OpenFiles().status();
    CAPTURE(status);
    CHECK(ReasonOf(status) == reason);
    CHECK(absl::StrContains(status.message(), f.operators.path()));
    CHECK_FALSE(std::filesystem::exists(f.directory.File("tls/live.pem")));
  };
  refused("");  // There is no file.
  f.Put(IssueServer(*f.authority, kNow - 60 * kDay));
  refused("INVALID_CERTIFICATE");
  f.Put({.key_pem = "garbage", .chain_pem = "garbage"});
  refused("INVALID_CERTIFICATE");
  f.Put({.key_pem = Read(f.operators.File("ca.key")), .chain_pem = f.authority->certificate()});
  refused("INVALID_CERTIFICATE");
}

TEST_CASE("An operator's key may be read by its group but not by everybody") {
  const Fixture f;
  f.Put(IssueServer(*f.authority));
  REQUIRE(::chmod(f.key_file.c_str(), 0644) == 0);
  CHECK(ReasonOf(f.OpenFiles().status()) == "FILE_EXPOSED");
  REQUIRE(::chmod(f.key_file.c_str(), 0640) == 0);
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  test::LogLines log;
  const std::string before = Read((*keeper)->live_file());
  const KeyAndChain next = IssueServer(*f.authority);
  Replace(f.certificate_file, next.chain_pem);
  Replace(f.key_file, next.key_pem, 0604);
  for (int i = 0; i < 5; ++i) (*keeper)->Refresh(kNow);
  CHECK(log.Take().size() == 1);
  CHECK(Read((*keeper)->live_file()) == before);
  REQUIRE(::chmod(f.key_file.c_str(), 0600) == 0);
  (*keeper)->Refresh(kNow);
  CHECK(Read((*keeper)->live_file()) == TextOf(next));
}

TEST_CASE("Of files with other things in them only key and certificates are served") {
  Fixture f;
  const KeyAndChain pair = IssueServer(*f.authority);
  const std::string all = absl::StrCat("# mine\n", pair.chain_pem, pair.key_pem, "the end\n");
  f.certificate_file = f.key_file;  // One and the same.
  Replace(f.key_file, all);
  f.client_ca_file = f.operators.File("clients");
  Replace(f.client_ca_file, absl::StrCat("# theirs\n", f.authority->certificate()));
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  CHECK(Read((*keeper)->live_file()) == TextOf(pair));
  CHECK(Read((*keeper)->authorities_file()) == f.authority->certificate());
}

TEST_CASE("A file that could not be written is written as soon as it can be, with one line") {
  const Fixture f;
  f.Put(IssueServer(*f.authority));
  const auto keeper = f.OpenFiles();
  REQUIRE(keeper.ok());
  test::LogLines log;
  const KeyAndChain next = IssueServer(*f.authority);
  f.Put(next);
  std::filesystem::rename(f.directory.File("tls"), f.directory.File("away"));
  for (int i = 0; i < 5; ++i) (*keeper)->Refresh(kNow);
  CHECK(log.Take().size() == 1);
  std::filesystem::rename(f.directory.File("away"), f.directory.File("tls"));
  (*keeper)->Refresh(kNow);
  CHECK(log.Take().empty());
  CHECK(Read((*keeper)->live_file()) == TextOf(next));
}

TEST_CASE("An own certificate is renewed when two thirds of its life are over") {
  const Fixture f;
  const auto keeper = f.OpenIssued();
  REQUIRE(keeper.ok());
  const std::string path = (*keeper)->live_file();
  const std::string first = Read(path);
  CHECK(CheckKeyAndChain({first, first}, kNow).ok());
  CHECK(*EndOf(first) == kNow + 30 * kDay);
  (*keeper)->Refresh(kNow + 20 * kDay - absl::Seconds(1));
  CHECK(Read(path) == first);
  (*keeper)->Refresh(kNow + 20 * kDay);
  const std::string second = Read(path);
  CHECK(second != first);
  CHECK(*EndOf(second) == kNow + 50 * kDay);
  (*keeper)->Refresh(kNow + 40 * kDay - absl::Seconds(1));
  CHECK(Read(path) == second);
}

TEST_CASE("A clock that jumps makes one new certificate, whichever way it goes") {
  const Fixture f;
  const auto keeper = f.OpenIssued();
  REQUIRE(keeper.ok());
  const std::string path = (*keeper)->live_file();
  for (const absl::Time now : {kNow + 1'000 * kDay, kNow, kNow - absl::Seconds(1)}) {
    const std::string before = Read(path);
    (*keeper)->Refresh(now);
    const std::string after = Read(path);
    CHECK(after != before);
    CHECK(CheckKeyAndChain({after, after}, now).ok());
    const ino_t number = NumberOf(path);
    for (int i = 0; i < 10; ++i) (*keeper)->Refresh(now + i * absl::Milliseconds(250));
    CHECK(NumberOf(path) == number);
  }
}

TEST_CASE("Near the end of the authority nothing is renewed again and again") {
  const Fixture f;
  const auto keeper = f.OpenIssued();
  REQUIRE(keeper.ok());
  const absl::Time end = *EndOf(f.authority->certificate());
  test::LogLines log;
  (*keeper)->Refresh(end - kDay);
  const std::string last = Read((*keeper)->live_file());
  CHECK(*EndOf(last) == end);
  for (int i = 0; i < 24; ++i) (*keeper)->Refresh(end - kDay + i * absl::Hours(1));
  CHECK(Read((*keeper)->live_file()) == last);
  CHECK(log.Take().empty());
  for (int i = 0; i < 5; ++i) (*keeper)->Refresh(end + i * kDay);
  CHECK(log.Take().size() == 1);
  CHECK(Read((*keeper)->live_file()) == last);
}

TEST_CASE("The authorities of clients are kept in the same way") {
  Fixture f;
  f.client_ca_file = f.operators.File("clients.pem");
  CHECK_FALSE(f.OpenIssued().ok());  // There is no file.
  Replace(f.client_ca_file, IssueServer(*f.authority).chain_pem);
  const auto refused = f.OpenIssued().status();
  CHECK(ReasonOf(refused) == "INVALID_CERTIFICATE");
  CHECK(absl::StrContains(refused.message(), f.client_ca_file));
  Replace(f.client_ca_file, f.authority->certificate());
  const auto keeper = f.OpenIssued();
  REQUIRE(keeper.ok());
  const std::string path = (*keeper)->authorities_file();
  CHECK(path == f.directory.File("tls/authorities.pem"));
  CHECK(Read(path) == f.authority->certificate());
  test::LogLines log;
  Replace(f.client_ca_file, "garbage");
  for (int i = 0; i < 5; ++i) (*keeper)->Refresh(kNow);
  CHECK(log.Take().size() == 1);
  CHECK(Read(path) == f.authority->certificate());
  const test::TempDir other;
  const std::string both = f.authority->certificate() + MakeAuthority(other)->certificate();
  Replace(f.client_ca_file, both);
  (*keeper)->Refresh(kNow);
  CHECK(Read(path) == both);
  CHECK(log.Take().empty());
}

TEST_CASE("In memory the files are as good, and nothing of them is on a disk") {
  const Fixture f;
  f.Put(IssueServer(*f.authority));
  const auto keeper =
      CertificateKeeper::Open({.authorities = f.authority->certificate()},
                              MakeCertificateFiles(f.certificate_file, f.key_file), kNow);
  REQUIRE(keeper.ok());
  const std::string live = (*keeper)->live_file();
  CHECK(Read((*keeper)->authorities_file()) == f.authority->certificate());
  const std::string before = Read(live);
  CHECK_FALSE(before.empty());
  // Who has opened it before goes on with what it was.
  std::ifstream open_before(live);
  const ino_t number = NumberOf(live);
  const KeyAndChain next = IssueServer(*f.authority);
  f.Put(next);
  (*keeper)->Refresh(kNow);
  CHECK((*keeper)->live_file() == live);
  CHECK(NumberOf(live) != number);
  CHECK(Read(live) == TextOf(next));
  CHECK(std::string(std::istreambuf_iterator<char>(open_before), {}) == before);
  CHECK(absl::StartsWith(std::filesystem::read_symlink(live).string(), "/memfd:"));
  test::LogLines log;
  Replace(f.key_file, "garbage");
  (*keeper)->Refresh(kNow);
  CHECK(log.Take().size() == 1);
  CHECK(Read(live) == TextOf(next));
}

TEST_CASE("Without a source there are authorities alone") {
  const Fixture f;
  const auto keeper =
      CertificateKeeper::Open({.authorities = f.authority->certificate()}, nullptr, kNow);
  REQUIRE(keeper.ok());
  CHECK((*keeper)->live_file().empty());
  (*keeper)->Refresh(kNow);
  CHECK(Read((*keeper)->authorities_file()) == f.authority->certificate());
  CHECK(ReasonOf(CertificateKeeper::Open({.authorities = "garbage"}, nullptr, kNow).status()) ==
        "INVALID_CERTIFICATE");
}

}  // namespace
}  // namespace kantoku::platform
