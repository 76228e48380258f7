#include "services/platform/server/program.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <prometheus/counter.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/rpc/bidi_stream.h"
#include "services/platform/rpc/service.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/tls/x509.h"
#include "services/platform/whole_file.h"
#include "tests/support/health_check.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

namespace outputspb = ::kantoku::outputs::v1;  // Stands for any service.
namespace fs = std::filesystem;

std::string Read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// What was done to a module, and what it shall do.
struct Log {
  std::vector<std::string> lines;
  absl::Status start;
  std::atomic<bool> healthy = true;
  std::atomic<bool> waits = false;
};

class Stream final : public CoalescingStream<outputspb::AwaitRequest, outputspb::AwaitResponse> {
 public:
  using CoalescingStream::CoalescingStream;

 private:
  void OnRequest(outputspb::AwaitRequest&) override {}
};

class FakeModule final : public Module, public Service {
 public:
  FakeModule(std::string name, Environment& environment, Log& log, bool serves)
      : Service(outputspb::OutputsService::service_full_name()),
        name_(std::move(name)),
        log_(log),
        serves_(serves),
        get_(environment.calls().MethodOf("OutputsService/Get")),
        await_(environment.calls().MethodOf("OutputsService/Await")) {
    Handle("Get", &FakeModule::Get);
    Handle("Await", &FakeModule::Await);
    Note("open");
  }
  ~FakeModule() override { Note("destroyed"); }

  std::string_view name() const override { return name_; }
  std::vector<grpc::Service*> services() override {
    return serves_ ? std::vector<grpc::Service*>{this} : std::vector<grpc::Service*>{};
  }
  absl::Status Start() override {
    Note("start");
    return log_.start;
  }
  void Drain(absl::Duration) override {
    Note("drain");
    if (const auto stream = stream_.lock()) stream->Close(absl::UnavailableError("draining"));
  }
  void Stop() override {
    Note("stop");
    waiting_.reset();
  }
  bool healthy() const override { return log_.healthy; }

 private:
  // Answers when it is asked for nothing, else not before the module stops.
  void Get(UnaryCall* call, const outputspb::GetRequest* request, outputspb::GetResponse*) {
    HandleUnary(call, get_, [&](const Caller&, Reply reply) {
      if (request->task_ids().empty()) return reply(absl::OkStatus());
      waiting_ = std::make_unique<Reply>(std::move(reply));
      log_.waits = true;
    });
  }
  void Await(Stream::Call* call) {
    auto stream = std::make_shared<Stream>(call, await_);
    stream_ = stream;
    stream->Start();
  }

  void Note(const std::string& what) { log_.lines.push_back(name_ + " " + what); }

  const std::string name_;
  Log& log_;
  const bool serves_;
  CallMonitor::Method& get_;
  CallMonitor::Method& await_;
  std::weak_ptr<Stream> stream_;
  std::unique_ptr<Reply> waiting_;
};

ModuleMaker Maker(const std::string& name, Log& log, bool serves = false) {
  return [name, &log, serves](Environment& environment) {
    return std::make_unique<FakeModule>(name, environment, log, serves);
  };
}

template <typename... Makers>
std::vector<ModuleMaker> List(Makers... makers) {
  std::vector<ModuleMaker> list;
  (list.push_back(std::move(makers)), ...);
  return list;
}

ProgramOptions Options(const test::TempDir& directory) {
  ProgramOptions options;
  options.name = "kantoku-test";
  options.create_mac_keys = true;
  options.config.mutable_server()->set_listen("127.0.0.1:0");
  options.config.mutable_server()->set_data_dir(directory.File("data"));
  return options;
}

std::unique_ptr<outputspb::OutputsService::Stub> StubOf(Program& program) {
  return outputspb::OutputsService::NewStub(program.environment().Connect(""));
}

// What an HTTP GET of `path` at "host:port" answers.
std::string HttpGet(const std::string& address, const std::string& path) {
  const size_t colon = address.rfind(':');
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &target.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&target), sizeof(target)) == 0);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  REQUIRE(::write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, got);
  ::close(fd);
  return answer;
}

std::string Health(Program& program, const std::string& service) {
  return test::HealthOf(program.environment().Connect(""), service);
}

TEST_CASE("Modules are opened, started, drained and stopped in order, the last first") {
  const test::TempDir directory;
  Log log;
  {
    auto program = Program::Start(Options(directory), List(Maker("a", log), Maker("b", log)));
    REQUIRE(program.ok());
    (*program)->Stop();
    (*program)->Stop();
  }
  CHECK(log.lines == std::vector<std::string>{"a open", "b open", "a start", "b start", "b drain",
                                              "a drain", "b stop", "a stop", "a destroyed",
                                              "b destroyed"});
}

TEST_CASE("Calls reach the services of a module") {
  const test::TempDir directory;
  Log log;
  const auto program = Program::Start(Options(directory), List(Maker("a", log, true)));
  REQUIRE(program.ok());
  grpc::ClientContext context;
  outputspb::GetResponse response;
  CHECK(StubOf(**program)->Get(&context, {}, &response).ok());
}

TEST_CASE("The data directory is made for its owner alone, and keys with it") {
  const test::TempDir directory;
  auto options = Options(directory);
  options.config.mutable_server()->set_data_dir(directory.File("deep/er/data"));
  REQUIRE(Program::Start(options, {}).ok());
  struct stat info;
  REQUIRE(::stat(directory.File("deep/er/data").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
  CHECK(fs::exists(directory.File("deep/er/data/mac.keys")));
  CHECK(Program::Start(options, {}).ok());
}

TEST_CASE("A program that makes no keys needs some") {
  const test::TempDir directory;
  auto options = Options(directory);
  options.create_mac_keys = false;
  const auto program = Program::Start(options, {});
  CHECK(ReasonOf(program.status()) == "NO_MAC_KEYS");
  CHECK_THAT(std::string(program.status().message()), Catch::Contains("data/mac.keys"));
}

TEST_CASE("Where other computers reach it, a server has TLS and knows who calls, or says why not") {
  const test::TempDir directory;
  auto options = Options(directory);
  auto& server = *options.config.mutable_server();
  server.set_listen(GENERATE("0.0.0.0:0", "192.168.1.1:0", "[::]:0"));
  const auto refused = [&](const char* why) {
    const auto program = Program::Start(options, {});
    CHECK(ReasonOf(program.status()) == "INVALID_CONFIG");
    CHECK_THAT(
        std::string(program.status().message()),
        Catch::StartsWith("server.listen: other computers can reach ") && Catch::Contains(why));
    CHECK_FALSE(fs::exists(directory.File("data")));
  };
  refused("there is no TLS");
  options.own_authority = true;
  refused("callers do not prove who they are");
  server.mutable_tls()->set_off(true);
  refused("there is no TLS");
  server.mutable_tls()->set_insecure_plaintext_beyond_loopback(true);
  refused("callers do not prove who they are");
}

TEST_CASE("A service trusts whom its file names when it connects again, and shows who it is") {
  const test::TempDir directory;
  const std::string ca_file = directory.File("ca.pem");
  const auto options = [&](const std::string& name) {
    auto options = Options(directory);
    auto& server = *options.config.mutable_server();
    server.set_data_dir(directory.File(name));
    server.mutable_tls()->set_certificate_file(directory.File("service.pem"));
    server.mutable_tls()->set_key_file(directory.File("service.key"));
    server.mutable_tls()->set_client_ca_file(ca_file);
    return options;
  };
  const auto become = [&](const std::string& name) {
    const auto authority = CertificateAuthority::LoadOrCreate(directory.File(name), absl::Now());
    REQUIRE(authority.ok());
    REQUIRE(ReplaceWholeFile(ca_file, (*authority)->certificate()).ok());
    for (const auto& [kind, file] : {std::pair{CertificateAuthority::Kind::kServer, "service"},
                                     std::pair{CertificateAuthority::Kind::kClient, "client"}}) {
      const auto pair =
          (*authority)
              ->Issue({.kind = kind, .names = {"127.0.0.1"}, .lifetime = absl::Hours(1)},
                      absl::Now());
      REQUIRE(pair.ok());
      const std::string path = directory.File(file);
      REQUIRE(ReplaceWholeFile(path + ".pem", pair->chain_pem).ok());
      REQUIRE(ReplaceWholeFile(path + ".key", pair->key_pem).ok());
    }
  };
  become("before");
  auto calling = options("caller");
  auto& trusting = *calling.config.mutable_server()->mutable_tls();
  trusting.set_ca_file(ca_file);
  trusting.set_client_certificate_file(directory.File("client.pem"));
  trusting.set_client_key_file(directory.File("client.key"));
  const auto caller = Program::Start(calling, {});
  REQUIRE(caller.ok());
  auto other = Program::Start(options("other"), {});
  REQUIRE(other.ok());
  const std::string address = (*other)->address();
  const auto channel = (*caller)->environment().Connect(address);
  CHECK(test::HealthOf(channel, "") == "SERVING");

  other = absl::UnknownError("stopped");
  become("after");
  auto again = options("other");
  again.config.mutable_server()->set_listen(address);
  other = Program::Start(again, {});
  REQUIRE(other.ok());
  // Until the files are read again the two do not know each other; at first the channel may not
  // have seen that its connection is gone.
  const auto limit = std::chrono::system_clock::now() + std::chrono::minutes(1);
  std::string said;
  while (said != "SERVING" && channel->WaitForConnected(limit)) said = test::HealthOf(channel, "");
  CHECK(said == "SERVING");
}

// A pair of the authority in this directory that is for no single use, as those of organizations
// are.
KeyAndChain IssueForAll(const std::string& directory) {
  const auto authority = CertificateAuthority::LoadOrCreate(directory, absl::Now());
  REQUIRE(authority.ok());
  auto pair = (*authority)
                  ->Issue({.kind = CertificateAuthority::Kind::kServer,
                           .names = {"127.0.0.1"},
                           .lifetime = absl::Hours(1)},
                          absl::Now());
  REQUIRE(pair.ok());
  const auto chain = tls::ParseCertificates(pair->chain_pem);
  const auto key = tls::ParseKey(Read(directory + "/ca.key"));
  REQUIRE(chain.ok());
  REQUIRE(key.ok());
  X509* const leaf = chain->front().get();
  ::X509_EXTENSION_free(
      ::X509_delete_ext(leaf, ::X509_get_ext_by_NID(leaf, NID_ext_key_usage, -1)));
  REQUIRE(::X509_sign(leaf, key->get(), ::EVP_sha256()) > 0);
  pair->chain_pem = tls::PemOf(*leaf);
  return *std::move(pair);
}

TEST_CASE(
    "Where a service names no certificate of its own for others, they see that of its server") {
  const test::TempDir directory;
  const KeyAndChain pair = IssueForAll(directory.File("authority"));
  REQUIRE(ReplaceWholeFile(directory.File("service.pem"), pair.chain_pem).ok());
  REQUIRE(ReplaceWholeFile(directory.File("service.key"), pair.key_pem).ok());
  const auto options = [&](const std::string& name) {
    auto options = Options(directory);
    auto& server = *options.config.mutable_server();
    server.set_data_dir(directory.File(name));
    server.mutable_tls()->set_ca_file(directory.File("authority/ca.pem"));
    return options;
  };
  auto asking = options("other");
  auto& asking_tls = *asking.config.mutable_server()->mutable_tls();
  asking_tls.set_certificate_file(directory.File("service.pem"));
  asking_tls.set_key_file(directory.File("service.key"));
  auto showing = asking;
  showing.config.mutable_server()->set_data_dir(directory.File("showing"));
  asking_tls.set_client_ca_file(directory.File("authority/ca.pem"));
  const auto other = Program::Start(asking, {});
  REQUIRE(other.ok());
  const auto shows = Program::Start(showing, {});
  REQUIRE(shows.ok());
  const auto shows_none = Program::Start(options("silent"), {});
  REQUIRE(shows_none.ok());
  const std::string address = (*other)->address();
  CHECK(test::HealthOf((*shows)->environment().Connect(address), "") == "SERVING");
  CHECK(test::HealthOf((*shows_none)->environment().Connect(address), "") != "SERVING");
}

TEST_CASE("A taken port is one clear error, for calls and for metrics") {
  const test::TempDir directory;
  const auto first = Program::Start(Options(directory), {});
  REQUIRE(first.ok());
  auto options = Options(directory);
  options.config.mutable_server()->set_listen((*first)->address());
  const auto second = Program::Start(options, {});
  CHECK(second.status().message() ==
        "server.listen: cannot listen on " + (*first)->address() + ": Address already in use");
  options = Options(directory);
  options.config.mutable_server()->set_metrics_listen((*first)->metrics_address());
  const auto third = Program::Start(options, {});
  CHECK(ReasonOf(third.status()) == "CANNOT_LISTEN");
  CHECK_THAT(std::string(third.status().message()), Catch::Contains("server.metrics_listen: "));
}

TEST_CASE("A data directory that cannot be is one clear error") {
  const test::TempDir directory;
  std::ofstream(directory.File("file")) << "x";
  auto options = Options(directory);
  options.config.mutable_server()->set_data_dir(directory.File(GENERATE("file", "file/below")));
  const auto program = Program::Start(options, {});
  CHECK(ReasonOf(program.status()) == "DATA_DIR");
  CHECK_THAT(std::string(program.status().message()), Catch::Contains(directory.File("file")));
}

TEST_CASE("A module that cannot start stops the others") {
  const test::TempDir directory;
  Log log;
  log.start = Error(absl::StatusCode::kUnavailable, "NO", "no");
  const auto program = Program::Start(Options(directory), List(Maker("a", log), Maker("b", log)));
  CHECK(program.status().message() == "a: no");
  CHECK(std::count(log.lines.begin(), log.lines.end(), "b stop") == 1);
}

TEST_CASE("The port file holds the port") {
  const test::TempDir directory;
  auto options = Options(directory);
  options.port_file = directory.File("port");
  const auto program = Program::Start(options, {});
  REQUIRE(program.ok());
  CHECK("127.0.0.1:" + Read(options.port_file) == (*program)->address() + "\n");
}

TEST_CASE("Metrics and health are served over HTTP") {
  const test::TempDir directory;
  Log log;
  const auto program = Program::Start(Options(directory), List(Maker("a", log)));
  REQUIRE(program.ok());
  prometheus::BuildCounter()
      .Name("kantoku_test_total")
      .Register((*program)->environment().metrics())
      .Add({})
      .Increment(3);
  const std::string address = (*program)->metrics_address();
  CHECK_THAT(HttpGet(address, "/metrics"),
             Catch::StartsWith("HTTP/1.1 200") && Catch::Contains("kantoku_test_total 3"));
  CHECK_THAT(HttpGet(address, "/healthz"), Catch::StartsWith("HTTP/1.1 200"));
  log.healthy = false;
  (*program)->Refresh();
  CHECK_THAT(HttpGet(address, "/healthz"), Catch::StartsWith("HTTP/1.1 503"));
}

TEST_CASE("Metrics can be switched off") {
  const test::TempDir directory;
  auto options = Options(directory);
  options.config.mutable_server()->set_metrics_listen("none");
  const auto program = Program::Start(options, {});
  REQUIRE(program.ok());
  CHECK((*program)->metrics_address().empty());
}

TEST_CASE("The standard health service says what the modules say") {
  const test::TempDir directory;
  Log well;
  Log ill;
  const auto program =
      Program::Start(Options(directory), List(Maker("well", well), Maker("ill", ill)));
  REQUIRE(program.ok());
  CHECK(Health(**program, "") == "SERVING");
  ill.healthy = false;
  (*program)->Refresh();
  CHECK(Health(**program, "") == "NOT_SERVING");
  CHECK(Health(**program, "well") == "SERVING");
  CHECK(Health(**program, "ill") == "NOT_SERVING");
}

TEST_CASE("Streams end with the drain, before the server shuts down") {
  const test::TempDir directory;
  Log log;
  const auto program = Program::Start(Options(directory), List(Maker("a", log, true)));
  REQUIRE(program.ok());
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const auto stream = StubOf(**program)->Await(&context);
  while ((*program)->environment().calls().open_streams() == 0) std::this_thread::yield();
  (*program)->Stop();
  CHECK(stream->Finish().error_message() == "draining");
}

TEST_CASE("A call that a module cannot answer does not hold up the stop") {
  const test::TempDir directory;
  Log log;
  auto options = Options(directory);
  options.config.mutable_server()->mutable_drain_timeout()->set_nanos(50'000'000);
  const auto program = Program::Start(options, List(Maker("a", log, true)));
  REQUIRE(program.ok());
  grpc::ClientContext context;
  outputspb::GetRequest request;
  request.add_task_ids("never");
  outputspb::GetResponse response;
  grpc::Status status;
  std::thread caller(
      [&, stub = StubOf(**program)] { status = stub->Get(&context, request, &response); });
  while (!log.waits) std::this_thread::yield();
  (*program)->Stop();
  caller.join();
  CHECK_FALSE(status.ok());
}

}  // namespace
}  // namespace kantoku::platform
