// Certificates of the operator, with the real program.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "kantoku/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using platform::CertificateAuthority;

void Replace(const std::string& path, const std::string& content) {
  std::ofstream(path + ".new") << content;
  std::filesystem::permissions(path + ".new", std::filesystem::perms(0600));
  std::filesystem::rename(path + ".new", path);
}

// An operator with an authority, and the files that he gives to a server and its clients.
class Operator {
 public:
  explicit Operator(const std::string& name) : directory_(places_.File(name)) {
    auto authority = CertificateAuthority::LoadOrCreate(directory_, absl::Now());
    REQUIRE(authority.ok());
    authority_ = *std::move(authority);
  }

  std::string ca_file() const { return directory_ + "/ca.pem"; }
  // Writes NAME.pem and NAME.key.
  void Issue(CertificateAuthority::Kind kind, const std::string& name) const {
    const auto pair = authority_->Issue(
        {.kind = kind,
         .names = {kind == CertificateAuthority::Kind::kServer ? "127.0.0.1" : name},
         .lifetime = absl::Hours(1)},
        absl::Now());
    REQUIRE(pair.ok());
    Replace(File(name + ".pem"), pair->chain_pem);
    Replace(File(name + ".key"), pair->key_pem);
  }
  std::string File(const std::string& name) const { return places_.File(name); }

  UpOptions Serving() const {
    UpOptions options;
    options.settings = {"server.tls.certificate_file=" + File("server.pem"),
                        "server.tls.key_file=" + File("server.key")};
    return options;
  }

 private:
  TempDir places_;
  const std::string directory_;
  std::unique_ptr<CertificateAuthority> authority_;
};

// Everybody who knows this authority, with the administrator's token.
Client Knowing(const Up& up, const Operator& authority, const std::string& name = "") {
  ClientOptions options;
  options.access_file = up.access();
  options.ca_file = authority.ca_file();
  options.retry_for = absl::ZeroDuration();
  if (!name.empty()) {
    options.certificate_file = authority.File(name + ".pem");
    options.key_file = authority.File(name + ".key");
  }
  // The certificate is for a name.
  auto client = Client::Connect(up.address(), options);
  REQUIRE(client.ok());
  return *std::move(client);
}

bool Answers(Client client) { return client.List({}, {.timeout = absl::Seconds(10)}).ok(); }

TEST_CASE("A certificate that is replaced is shown to new connections, and old ones go on") {
  const Operator first("first");
  first.Issue(CertificateAuthority::Kind::kServer, "server");
  Up up(first.Serving());
  Client before = Knowing(up, first);
  REQUIRE(Answers(before));
  const Operator second("second");
  CHECK_FALSE(Answers(Knowing(up, second)));
  second.Issue(CertificateAuthority::Kind::kServer, "server");
  std::filesystem::copy_file(second.File("server.key"), first.File("server.key"),
                             std::filesystem::copy_options::overwrite_existing);
  const size_t said = up.process().output().size();
  std::filesystem::copy_file(second.File("server.pem"), first.File("server.pem"),
                             std::filesystem::copy_options::overwrite_existing);
  CHECK(Becomes([&] { return Answers(Knowing(up, second)); }));
  CHECK_FALSE(Answers(Knowing(up, first)));
  CHECK(Answers(before));
  // What is no good is said, and changes nothing.
  Replace(first.File("server.pem"), "garbage");
  CHECK(up.process().AwaitLine("server.pem", kPatience, said).ok());
  CHECK(Answers(Knowing(up, second)));
}

TEST_CASE("Where certificates of clients are asked for, nobody gets through without one") {
  const Operator authority("one");
  const Operator stranger("other");
  authority.Issue(CertificateAuthority::Kind::kServer, "server");
  authority.Issue(CertificateAuthority::Kind::kClient, "anna");
  stranger.Issue(CertificateAuthority::Kind::kClient, "anna");
  UpOptions options = authority.Serving();
  options.settings.push_back("server.tls.client_ca_file=" + authority.ca_file());
  const Up up(options);
  CHECK(Answers(Knowing(up, authority, "anna")));
  CHECK_FALSE(Answers(Knowing(up, authority)));
  Replace(authority.File("anna.pem"), [&] {
    std::ifstream file(stranger.File("anna.pem"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }());
  Replace(authority.File("anna.key"), [&] {
    std::ifstream file(stranger.File("anna.key"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }());
  CHECK_FALSE(Answers(Knowing(up, authority, "anna")));
  // A certificate says nothing of who somebody is.
  ClientOptions nobody;
  authority.Issue(CertificateAuthority::Kind::kClient, "ben");
  nobody.ca_file = authority.ca_file();
  nobody.certificate_file = authority.File("ben.pem");
  nobody.key_file = authority.File("ben.key");
  nobody.retry_for = absl::ZeroDuration();
  Client ben = *Client::Connect(up.address(), nobody);
  CHECK(ReasonOf(ben.List({}, {.timeout = kPatience}).status()) == "NO_TOKEN");
}

// One operator whose authority is another from some moment on: the server's and its clients'
// files, and the authorities that both trust, are replaced.
class Moving {
 public:
  Moving() { Become(before_); }

  void Move() { Become(after_); }
  UpOptions Serving() const {
    UpOptions options;
    options.settings = {"server.tls.certificate_file=" + File("server.pem"),
                        "server.tls.key_file=" + File("server.key"),
                        "server.tls.client_ca_file=" + File("ca.pem")};
    return options;
  }
  ClientOptions Knowing(const Up& up) const {
    ClientOptions options;
    options.access_file = up.access();
    options.ca_file = File("ca.pem");
    options.certificate_file = File("anna.pem");
    options.key_file = File("anna.key");
    return options;
  }
  std::string File(const std::string& name) const { return directory_.File(name); }

 private:
  void Become(const Operator& authority) {
    authority.Issue(CertificateAuthority::Kind::kServer, "server");
    authority.Issue(CertificateAuthority::Kind::kClient, "anna");
    Copy(authority.ca_file(), "ca.pem");
    for (const char* const name : {"server.pem", "server.key", "anna.pem", "anna.key"}) {
      Copy(authority.File(name), name);
    }
  }
  void Copy(const std::string& from, const std::string& name) const {
    std::ifstream file(from);
    Replace(File(name), std::string(std::istreambuf_iterator<char>(file), {}));
  }

  TempDir directory_;
  const Operator before_ = Operator("before");
  const Operator after_ = Operator("after");
};

TEST_CASE("A client and an executor connect again with what their files hold by then") {
  Moving moving;
  Up up(moving.Serving());
  Client client = *Client::Connect(up.address(), moving.Knowing(up));
  REQUIRE(Answers(client));
  std::ofstream(moving.File("executor.yaml"))
      << "ca_file: " << moving.File("ca.pem") << "\ncertificate_file: " << moving.File("anna.pem")
      << "\nkey_file: " << moving.File("anna.key") << "\n";
  const auto executor = ChildProcess::Start(
      {.argv = {Binary("kantoku"), "executor", "--server", up.address(), "--config",
                moving.File("executor.yaml"), "--run", "text.echo=cat"},
       .env = {{"KANTOKU_ACCESS", up.access()}}});
  REQUIRE(executor.ok());
  REQUIRE((*executor)->AwaitLine("connected").ok());

  moving.Move();
  const size_t said = (*executor)->output().size();
  REQUIRE(up.process().Terminate().ok());
  up.Restart();
  CHECK(Becomes([&] { return Answers(client); }));
  CHECK((*executor)->AwaitLine("connected", kPatience, said).ok());
  const auto task = client.Spawn(Task("text.echo", "hello"), {.timeout = kPatience});
  REQUIRE(task.ok());
  CHECK(client.Await(task->id, {.timeout = kPatience})->data == "hello");

  // What is no good is said, and what was good before goes on.
  Replace(moving.File("anna.pem"), "garbage");
  CHECK((*executor)->AwaitLine("the certificate stays as it was").ok());
  REQUIRE(up.process().Terminate().ok());
  up.Restart();
  CHECK(Becomes([&] { return Answers(client); }));
}

TEST_CASE("A server whose certificate is no good does not start, and says which file") {
  const Operator authority("one");
  authority.Issue(CertificateAuthority::Kind::kServer, "server");
  authority.Issue(CertificateAuthority::Kind::kServer, "other");
  const TempDir directory;
  const auto why = [&](const std::string& certificate, const std::string& key) {
    const auto child = ChildProcess::Start(
        {.argv = {Binary("kantoku"), "up", "--data", directory.File("data"), "--listen",
                  "127.0.0.1:0", "--set", "server.metrics_listen=none", "--set",
                  "server.tls.certificate_file=" + certificate, "--set",
                  "server.tls.key_file=" + key}});
    REQUIRE(child.ok());
    const auto exit = (*child)->AwaitExit();
    REQUIRE(exit.ok());
    CHECK(exit->code == 1);
    return (*child)->output();
  };
  CHECK_THAT(why(authority.File("server.pem"), authority.File("other.key")),
             Catch::Contains("kantoku up: server.tls: ") && Catch::Contains("server.pem"));
  CHECK_THAT(why("/nowhere.pem", authority.File("other.key")), Catch::Contains("/nowhere.pem"));
}

}  // namespace
}  // namespace kantoku::test
