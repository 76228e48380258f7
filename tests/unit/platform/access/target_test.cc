#include "services/platform/access/target.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "services/platform/directories.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/whole_file.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

constexpr char kOtherwise[] = "localhost:6330";

// A user's home, in which a server of his has left an access file, and no variables.
class Home {
 public:
  Home() {
    ::setenv("XDG_DATA_HOME", directory_.path().c_str(), 1);
    ::unsetenv("KANTOKU_ACCESS");
    std::filesystem::create_directory(DefaultDataDir());
  }
  ~Home() {
    ::unsetenv("XDG_DATA_HOME");
    ::unsetenv("KANTOKU_ACCESS");
  }
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  std::string Write(const std::string& path, const Access& access) const {
    REQUIRE(WriteAccessFile(path, access).ok());
    return path;
  }
  void Serve(const std::string& server) const {
    Write(AccessFileIn(DefaultDataDir()), {.server = server,
                                           .authorities = "PEM",
                                           .server_name = "kantoku.internal",
                                           .token = "local"});
  }
  std::string File(const std::string& name) const { return directory_.File(name); }

 private:
  test::TempDir directory_;
};

absl::StatusOr<Target> Find(const TargetOptions& options) {
  return FindTarget(options, kOtherwise, Clock::Real());
}

std::string TokenOf(const absl::StatusOr<Target>& target) {
  REQUIRE(target.ok());
  return target->channel.tokens == nullptr ? "none" : target->channel.tokens->Token();
}

TEST_CASE("Without anything it is the default server, in plaintext, as nobody") {
  const Home home;
  const auto target = Find({});
  CHECK(TokenOf(target) == "none");
  CHECK(target->server == kOtherwise);
  CHECK_FALSE(target->channel.tls.has_value());
}

TEST_CASE("A server of this user is found, whatever its port, and by every name of this computer") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  for (const char* const name : {"", "127.0.0.1:7000", "localhost:7000", "[::1]:7000"}) {
    CAPTURE(name);
    const auto target = Find({.server = name});
    CHECK(TokenOf(target) == "local");
    CHECK(target->server == (*name != '\0' ? name : "127.0.0.1:7000"));
    CHECK(target->channel.tls->authorities == "PEM");
    CHECK(target->channel.tls->server_name == "kantoku.internal");
  }
}

TEST_CASE("What is for one server is not shown to another") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  CHECK(TokenOf(Find({.server = "127.0.0.1:7001"})) == "none");
  CHECK(TokenOf(Find({.server = "lab.example:7000"})) == "none");
  CHECK(TokenOf(Find({.server = "localhost.evil:7000"})) == "none");
  const std::string path =
      home.Write(home.File("lab.json"),
                 {.server = "lab:1", .authorities = kSystemAuthorities, .token = "of-the-lab"});
  const auto why = [](const TargetOptions& options) { return ReasonOf(Find(options).status()); };
  CHECK(why({.server = "corp:1", .access_file = path}) == "ACCESS_OF_ANOTHER_SERVER");
  ::setenv("KANTOKU_ACCESS", path.c_str(), 1);
  CHECK(why({.server = "127.0.0.1:7000"}) == "ACCESS_OF_ANOTHER_SERVER");
  CHECK(TokenOf(Find({.server = "lab:1"})) == "of-the-lab");
}

TEST_CASE(
    "Where an authority is pinned, its server may have another address, and no other authority") {
  const Home home;
  const std::string path = home.Write(home.File("lab.json"), {.server = "10.0.0.1:1",
                                                              .authorities = "PEM",
                                                              .server_name = "kantoku.internal",
                                                              .token = "of-the-lab"});
  const auto target = Find({.server = "lab.example:6330", .access_file = path});
  CHECK(TokenOf(target) == "of-the-lab");
  CHECK(target->server == "lab.example:6330");
  CHECK(target->channel.tls->authorities == "PEM");
  CHECK(ReasonOf(Find({.access_file = path, .ca_file = kSystemAuthorities}).status()) ==
        "ACCESS_OF_ANOTHER_SERVER");
}

TEST_CASE("Another computer is reached by TLS, unless an ugly name says otherwise") {
  const Home home;
  const auto target = Find({.server = "lab.example:7000"});
  REQUIRE(target.ok());
  REQUIRE(target->channel.tls.has_value());
  CHECK(target->channel.tls->authorities.empty());  // Those of the system.
  const auto plain =
      Find({.server = "lab.example:7000", .insecure_plaintext_beyond_loopback = true});
  CHECK_FALSE(plain->channel.tls.has_value());
  CHECK(MakeChannel(plain->server, plain->channel).ok());
}

TEST_CASE("A file that is named goes over the environment, which goes over the user's server") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  const std::string env =
      home.Write(home.File("env.json"), {.server = "env:1", .authorities = "PEM", .token = "env"});
  const std::string named = home.Write(
      home.File("named.json"), {.server = "named:1", .authorities = "PEM", .token = "named"});
  ::setenv("KANTOKU_ACCESS", env.c_str(), 1);
  CHECK(Find({})->server == "env:1");
  CHECK(TokenOf(Find({})) == "env");
  CHECK(Find({.access_file = named})->server == "named:1");
  CHECK(TokenOf(Find({.access_file = named})) == "named");
  ::setenv("KANTOKU_ACCESS", home.File("nothing").c_str(), 1);
  CHECK(ReasonOf(Find({}).status()) == "NO_ACCESS_FILE");
  CHECK(ReasonOf(Find({.access_file = home.File("nothing")}).status()) == "NO_ACCESS_FILE");
}

TEST_CASE("A token and authorities that are named replace those of the file") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  const std::string pem = home.File("other/ca.pem");
  const auto other = CertificateAuthority::LoadOrCreate(home.File("other"), absl::Now());
  REQUIRE(other.ok());
  const auto target = Find({.token = "mine", .ca_file = pem});
  CHECK(TokenOf(target) == "mine");
  CHECK(target->channel.tls->authorities == (*other)->certificate());
  CHECK_FALSE(target->channel.tls->authorities_file.empty());
  CHECK(target->channel.tls->identity_file.empty());
  CHECK(target->channel.tls->server_name.empty());
  CHECK(Find({.token = "mine", .ca_file = kSystemAuthorities})->channel.tls->authorities.empty());
  CHECK(ReasonOf(Find({.token = "mine", .ca_file = home.File("nothing")}).status()) ==
        "UNREADABLE_FILE");
}

TEST_CASE("What is shown to the server goes with the authorities of the access file") {
  const Home home;
  const auto authority = CertificateAuthority::LoadOrCreate(home.File("ca"), absl::Now());
  REQUIRE(authority.ok());
  home.Write(AccessFileIn(DefaultDataDir()), {.server = "127.0.0.1:7000",
                                              .authorities = (*authority)->certificate(),
                                              .server_name = "kantoku.internal",
                                              .token = "local"});
  TargetOptions options;
  options.certificate_file = home.File("c.pem");
  options.key_file = home.File("c.key");
  CHECK(ReasonOf(Find(options).status()) == "UNREADABLE_FILE");
  const auto pair = (*authority)
                        ->Issue({.kind = CertificateAuthority::Kind::kClient,
                                 .names = {"anna"},
                                 .lifetime = absl::Hours(1)},
                                absl::Now());
  REQUIRE(pair.ok());
  REQUIRE(ReplaceWholeFile(options.certificate_file, pair->chain_pem).ok());
  REQUIRE(ReplaceWholeFile(options.key_file, pair->key_pem).ok());
  const auto target = Find(options);
  REQUIRE(target.ok());
  CHECK(ReadWholeFile(target->channel.tls->identity_file).value() ==
        pair->key_pem + pair->chain_pem);
  CHECK(ReadWholeFile(target->channel.tls->authorities_file).value() ==
        (*authority)->certificate());
  CHECK(target->channel.tls->server_name == "kantoku.internal");
  // What is no good is said to whoever begins with it.
  REQUIRE(ReplaceWholeFile(options.key_file, "garbage").ok());
  CHECK(ReasonOf(Find(options).status()) == "INVALID_CERTIFICATE");
}

TEST_CASE("A token in an access file that is replaced is the new one") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  FakeClock clock;
  const auto target = FindTarget({}, kOtherwise, clock);
  CHECK(TokenOf(target) == "local");
  home.Write(AccessFileIn(DefaultDataDir()), {.server = "127.0.0.1:7000", .token = "newer"});
  clock.Advance(absl::Seconds(1));
  CHECK(TokenOf(target) == "newer");
}

TEST_CASE("Half of a pair, and a file that says twice who one is, are refused") {
  const Home home;
  home.Serve("127.0.0.1:7000");
  CHECK(ReasonOf(Find({.certificate_file = "c.pem"}).status()) == "HALF_A_PAIR");
  CHECK(ReasonOf(Find({.key_file = "c.key"}).status()) == "HALF_A_PAIR");
  home.Write(AccessFileIn(DefaultDataDir()),
             {.server = "127.0.0.1:7000", .token = "t", .grant = "g"});
  CHECK(ReasonOf(Find({}).status()) == "INVALID_ACCESS_FILE");
}

}  // namespace
}  // namespace kantoku::platform
