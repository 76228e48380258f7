// The three services as programs of their own, with one issuer and one authority: whoever calls
// shows a token and a certificate, also where a service calls another.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/executor-runtime/executor.h"
#include "services/platform/auth/mac.h"
#include "services/platform/tls/certificate_authority.h"
#include "services/platform/whole_file.h"
#include "tests/e2e/trusting.h"
#include "tests/support/process.h"
#include "tests/support/reserved_port.h"

namespace kantoku::test {
namespace {

using platform::CertificateAuthority;

// A method of each service that reads, and what an empty request comes to that is let in.
struct Part {
  std::string name;
  std::string method;
  std::string let_in;
};
const std::vector<Part>& Parts() {
  static const auto& parts = *new std::vector<Part>{
      {"inputs", "/kantoku.inputs.v1.InputsService/ListTasks", "OK"},
      {"outputs", "/kantoku.outputs.v1.OutputsService/Get", "BAD_BATCH_SIZE"},
      {"events", "/kantoku.events.v1.EventsService/Read", "OK"}};
  return parts;
}

// kantoku-inputs, kantoku-outputs and kantoku-events.
class Services : public Issuing {
 public:
  Services() {
    const auto authority = CertificateAuthority::LoadOrCreate(File("ca"), absl::Now());
    REQUIRE(authority.ok());
    Issue(**authority, CertificateAuthority::Kind::kServer, "server");
    Issue(**authority, CertificateAuthority::Kind::kClient, "service");
    Issue(**authority, CertificateAuthority::Kind::kClient, "user");
    REQUIRE(platform::MacKeys::LoadOrCreate(File("mac.keys")).ok());
    WriteConfig();
    for (const Part& part : Parts()) Start(part.name);
  }

  std::string address(const std::string& part) const { return ports_.at(part).address(); }

  // With a certificate, or without one.
  std::shared_ptr<grpc::Channel> Channel(const std::string& part, bool certified = true) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Read("ca/ca.pem");
    if (certified) {
      options.pem_cert_chain = Read("user.pem");
      options.pem_private_key = Read("user.key");
    }
    return grpc::CreateChannel(address(part), grpc::SslCredentials(options));
  }
  // How one call ends at each service, by its name.
  std::map<std::string, std::string> AskAll(const std::string& token, bool certified = true) const {
    std::map<std::string, std::string> said;
    for (const Part& part : Parts()) {
      said[part.name] = WhyNotAtAll(Channel(part.name, certified), part.method, token);
    }
    return said;
  }

  Client As(const std::string& token) const {
    ClientOptions options;
    options.outputs_address = address("outputs");
    options.events_address = address("events");
    options.retry_for = absl::Seconds(10);
    SetUp(options, token);
    auto client = Client::Connect(address("inputs"), options);
    REQUIRE(client.ok());
    return *std::move(client);
  }
  executor::ExecutorOptions ForExecutor(const std::string& token) const {
    executor::ExecutorOptions options;
    options.inputs_address = address("inputs");
    options.outputs_address = address("outputs");
    SetUp(options, token);
    return options;
  }

 private:
  std::string File(const std::string& name) const { return directory_.File(name); }
  std::string Read(const std::string& name) const {
    std::ostringstream content;
    content << std::ifstream(File(name)).rdbuf();
    return content.str();
  }

  template <typename Options>
  void SetUp(Options& options, const std::string& token) const {
    options.token = token;
    options.ca_file = File("ca/ca.pem");
    options.certificate_file = File("user.pem");
    options.key_file = File("user.key");
  }

  void Issue(const CertificateAuthority& authority, CertificateAuthority::Kind kind,
             const std::string& name) const {
    const bool server = kind == CertificateAuthority::Kind::kServer;
    const auto pair = authority.Issue(
        {.kind = kind, .names = {server ? "127.0.0.1" : name}, .lifetime = absl::Hours(1)},
        absl::Now());
    REQUIRE(pair.ok());
    REQUIRE(platform::ReplaceWholeFile(File(name + ".pem"), pair->chain_pem).ok());
    REQUIRE(platform::ReplaceWholeFile(File(name + ".key"), pair->key_pem).ok());
  }

  void WriteConfig() const {
    std::ofstream(File("config.yaml")) << absl::StrCat(
        Config(), "server:\n  metrics_listen: none\n  mac_key_file: ", File("mac.keys"),
        "\n  tls:\n    certificate_file: ", File("server.pem"),
        "\n    key_file: ", File("server.key"), "\n    ca_file: ", File("ca/ca.pem"),
        "\n    client_ca_file: ", File("ca/ca.pem"),
        "\n    client_certificate_file: ", File("service.pem"),
        "\n    client_key_file: ", File("service.key"),
        "\ninputs:\n  namespaces: [default, lab]\n  ping_interval: 100ms\n  outputs_address: ",
        address("outputs"), "\n  events_address: ", address("events"),
        "\noutputs:\n  inputs_address: ", address("inputs"), "\n");
  }

  void Start(const std::string& part) {
    const std::string port_file = File(part + ".port");
    auto child = ChildProcess::Start(
        {.argv = {Binary("kantoku-" + part), "--config", File("config.yaml"), "--data", File(part),
                  "--listen", address(part), "--port-file", port_file}});
    REQUIRE(child.ok());
    const auto port = (*child)->AwaitFile(port_file);
    INFO(port.status().message());
    REQUIRE(port.ok());
    programs_.push_back(*std::move(child));
  }

  TempDir directory_;
  const std::map<std::string, ReservedPort> ports_ = [] {
    std::map<std::string, ReservedPort> ports;
    for (const Part& part : Parts()) ports.try_emplace(part.name);
    return ports;
  }();
  std::vector<std::unique_ptr<ChildProcess>> programs_;
};

std::map<std::string, std::string> Everywhere(const std::string& reason) {
  std::map<std::string, std::string> said;
  for (const Part& part : Parts()) said[part.name] = reason;
  return said;
}

std::map<std::string, std::string> LetIn() {
  std::map<std::string, std::string> said;
  for (const Part& part : Parts()) said[part.name] = part.let_in;
  return said;
}

TEST_CASE("Each service takes the tokens of its issuer, and of nobody else") {
  const Services services;
  CHECK(services.AskAll(services.Token("anna", kUserScope)) == LetIn());
  CHECK(services.AskAll("") == Everywhere("NO_TOKEN"));
  const Issuing stranger;
  CHECK(services.AskAll(stranger.Token("anna", kUserScope)) == Everywhere("INVALID_TOKEN"));
  nlohmann::json forged = {{"iss", services.issuer.url()}, {"scope", kUserScope}};
  CHECK(services.AskAll(stranger.Sign("anna", forged)) == Everywhere("INVALID_TOKEN"));
  CHECK(services.AskAll(services.Token("anna", "openid")) == Everywhere("SCOPE_MISSING"));
  CHECK(services.AskAll(services.Token("anna", kUserScope), false) == Everywhere(""));
}

TEST_CASE("A task runs end to end where each service asks the others for a certificate") {
  const Services services;
  const auto executor = executor::Executor::Make(
      services.ForExecutor(services.Token("lab", "inputs:pull:work outputs:write")));
  REQUIRE(executor.ok());
  REQUIRE((*executor)
              ->Handle("work",
                       [](executor::Context&) -> absl::StatusOr<executor::Result> {
                         return executor::Result{"done", "text/plain"};
                       })
              .ok());
  Client anna = services.As(services.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  std::thread thread([&] { static_cast<void>((*executor)->Run()); });
  const auto output = anna.Await(task->id, {.timeout = kPatience});
  (*executor)->Stop();
  thread.join();
  REQUIRE(output.ok());
  CHECK(output->data == "done");

  // Inputs tells Outputs how it ends, and Events all of it; Outputs asks Inputs whose it is.
  const auto other = anna.Spawn(Task("other"));
  REQUIRE(other.ok());
  Client ben = services.As(services.Token("ben", kUserScope));
  CHECK(WhyNot(ben.Await(other->id, {.timeout = kPatience})) == "UNKNOWN_TASK");
  REQUIRE(anna.Cancel(other->id).ok());
  CHECK(anna.Await(other->id, {.timeout = kPatience})->status == OutputStatus::kCancelled);
  CHECK(Becomes([&] {
    const auto page = anna.ReadEvents({.filter = {.types = {"task.finished"}}});
    return page.ok() && page->events.size() == 2;
  }));
}

TEST_CASE("Who is blocked at Inputs is refused by Outputs and Events, too, until that is lifted") {
  const Services services;
  const std::string ben = services.Token("ben", kUserScope);
  REQUIRE(services.AskAll(ben) == LetIn());
  const auto stub = inputs::v1::InputsService::NewStub(services.Channel("inputs"));
  const auto set = [&](const inputs::v1::SetBlocksRequest& request) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + services.Token("root", "admin", "*"));
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
    inputs::v1::SetBlocksResponse response;
    return stub->SetBlocks(&context, request, &response).ok();
  };
  inputs::v1::SetBlocksRequest block;
  block.add_set()->set_user("ben");
  REQUIRE(set(block));
  CHECK(WhyNotAtAll(services.Channel("inputs"), Parts()[0].method, ben) == "BLOCKED");
  CHECK(Becomes([&] { return services.AskAll(ben) == Everywhere("BLOCKED"); }));
  CHECK(services.AskAll(services.Token("anna", kUserScope)) == LetIn());
  inputs::v1::SetBlocksRequest lift;
  lift.add_lift()->set_user("ben");
  REQUIRE(set(lift));
  CHECK(Becomes([&] { return services.AskAll(ben) == LetIn(); }));
}

}  // namespace
}  // namespace kantoku::test
