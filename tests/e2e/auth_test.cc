// Users, apps and executors with access tokens of an issuer elsewhere, and the real programs.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "kantoku/auth/v1/grants.pb.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "kantoku/status.h"
#include "services/executor-runtime/executor.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/e2e/up.h"
#include "tests/support/issuer_server.h"
#include "tests/support/token_maker.h"

namespace kantoku::test {
namespace {

// `kantoku up`, which takes tokens of one issuer.
class Trusting {
 public:
  Trusting() : maker_("ES256") {
    issuer.SetKeys({maker_.Jwk()});
    const std::string config = directory_.File("config.yaml");
    std::ofstream(config) << absl::StrCat(
        "auth:\n  issuers:\n  - issuer: ", issuer.url(), "\n    audiences: [", kAudience,
        "]\n  leeway: 0s\ninputs:\n  namespaces: [default, lab]\n  ping_interval: 100ms\n");
    up = std::make_unique<Up>(UpOptions{.settings = {}, .config = config});
  }

  // Whose token is good for ten minutes.
  std::string Token(const std::string& subject, const std::string& scope,
                    const nlohmann::json& namespaces = "default",
                    absl::Duration lifetime = absl::Minutes(10)) const {
    nlohmann::json claims = Claims(absl::Now());
    claims["exp"] = absl::ToUnixSeconds(absl::Now() + lifetime);
    claims["iss"] = issuer.url();
    claims["sub"] = subject;
    claims["scope"] = scope;
    claims["kantoku_namespaces"] = namespaces;
    return maker_.Sign(claims);
  }
  Client As(const std::string& token, const std::string& name_space = "default") const {
    ClientOptions options;
    options.namespace_name = name_space;
    options.access_file = up->access();
    options.token = token;
    options.retry_for = absl::Seconds(10);
    auto client = Client::Connect(up->address(), options);
    REQUIRE(client.ok());
    return *std::move(client);
  }

  IssuerServer issuer;
  std::unique_ptr<Up> up;

 private:
  TempDir directory_;
  TokenMaker maker_;
};

constexpr char kUserScope[] = "inputs:spawn inputs:read inputs:control outputs:read events:read";

// Answers tasks of a type, with a token of its own.
class Worker {
 public:
  Worker(const Up& up, const std::string& token, const std::string& type) {
    executor::ExecutorOptions options;
    options.inputs_address = up.address();
    options.access_file = up.access();
    options.token = token;
    options.concurrency = 1;
    auto executor = executor::Executor::Make(options);
    REQUIRE(executor.ok());
    executor_ = *std::move(executor);
    REQUIRE(executor_
                ->Handle(type,
                         [](executor::Context&) -> absl::StatusOr<executor::Result> {
                           return executor::Result{"done", "text/plain"};
                         })
                .ok());
    thread_ = std::thread([this] { static_cast<void>(executor_->Run()); });
  }
  ~Worker() {
    executor_->Stop();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  std::unique_ptr<executor::Executor> executor_;
  std::thread thread_;
};

template <typename Result>
std::string WhyNot(const Result& result) {
  return result.ok() ? "OK" : ReasonOf(result.status());
}

TEST_CASE("Nobody without a token spawns, reads, controls or pulls") {
  const Trusting trusting;
  const Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = Client(anna).Spawn(Task("work"));
  REQUIRE(task.ok());
  Client nobody = trusting.up->Connect();
  CHECK(WhyNot(nobody.Spawn(Task("work"))) == "NO_TOKEN");
  CHECK(WhyNot(nobody.Get(task->id)) == "NO_TOKEN");
  CHECK(WhyNot(nobody.Cancel(task->id)) == "NO_TOKEN");
  CHECK(WhyNot(nobody.List({})) == "NO_TOKEN");
  CHECK(WhyNot(nobody.Await(task->id)) == "NO_TOKEN");
  CHECK(WhyNot(nobody.GetOutput(task->id)) == "NO_TOKEN");
  CHECK(WhyNot(nobody.ReadEvents({})) == "NO_TOKEN");
  CHECK(WhyNot(nobody.ListExecutors()) == "NO_TOKEN");
}

TEST_CASE("A task runs with a user's and an executor's token, each with the scopes that it needs") {
  const Trusting trusting;
  const Worker worker(*trusting.up, trusting.Token("lab", "inputs:pull:work outputs:write"),
                      "work");
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  const auto output = anna.Await(task->id);
  REQUIRE(output.ok());
  CHECK(output->data == "done");
  CHECK(anna.Get(task->id)->owner == "anna");
  const auto executors = anna.ListExecutors();
  REQUIRE(executors.ok());
  REQUIRE(executors->size() == 1);
  CHECK(executors->front().executor_owner == "lab");
}

TEST_CASE("Each call needs its scope, and types that are named in it") {
  const Trusting trusting;
  Client reader = trusting.As(trusting.Token("anna", "inputs:read"));
  CHECK(WhyNot(reader.Spawn(Task("work"))) == "SCOPE_MISSING");
  CHECK(reader.List({}).ok());
  CHECK(WhyNot(reader.ReadEvents({})) == "SCOPE_MISSING");
  Client spawner = trusting.As(trusting.Token("anna", "inputs:spawn:segment-*"));
  CHECK(spawner.Spawn(Task("segment-cells")).ok());
  CHECK(WhyNot(spawner.Spawn(Task("work"))) == "SCOPE_MISSING");
  CHECK(WhyNot(spawner.List({})) == "SCOPE_MISSING");
  CHECK(ReasonOf(reader.SetPause({.type = "work"})) == "SCOPE_MISSING");
  CHECK(trusting.As(trusting.Token("root", "admin")).SetPause({.type = "work"}).ok());
}

TEST_CASE("Tasks of others do not exist, but for administrators of their namespace") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  Client ben = trusting.As(trusting.Token("ben", kUserScope));
  Client admin = trusting.As(trusting.Token("root", "admin"));
  Client elsewhere = trusting.As(trusting.Token("root", "admin", "lab"), "lab");
  const auto task = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  for (Client* const stranger : {&ben, &elsewhere}) {
    CHECK(WhyNot(stranger->Get(task->id)) == "NO_SUCH_TASK");
    CHECK(WhyNot(stranger->Cancel(task->id)) == "NO_SUCH_TASK");
    CHECK(stranger->List({})->tasks.empty());
    CHECK(stranger->ReadEvents({.filter = {.types = {"task.*"}}})->events.empty());
  }
  CHECK(admin.Get(task->id).ok());
  CHECK(admin.List({})->tasks.size() == 1);
  CHECK_FALSE(admin.ReadEvents({.filter = {.types = {"task.*"}}})->events.empty());
  CHECK(admin.Cancel(task->id).ok());
  CHECK(anna.Await(task->id)->status == OutputStatus::kCancelled);
  CHECK(WhyNot(ben.GetOutput(task->id)) == WhyNot(elsewhere.GetOutput(task->id)));
  CHECK(absl::IsNotFound(ben.GetOutput(task->id).status()));
  CHECK(admin.GetOutput(task->id).ok());
}

TEST_CASE("A token is for the namespaces that it names, whether there are others or not") {
  const Trusting trusting;
  const std::string token = trusting.Token("anna", kUserScope, nlohmann::json::array({"lab"}));
  CHECK(trusting.As(token, "lab").Spawn(Task("work")).ok());
  CHECK(WhyNot(trusting.As(token).Spawn(Task("work"))) == "NAMESPACE_FORBIDDEN");
  CHECK(WhyNot(trusting.As(token, "nowhere").List({})) == "NAMESPACE_FORBIDDEN");
  CHECK(WhyNot(trusting.As(token).ReadEvents({})) == "NAMESPACE_FORBIDDEN");
  const std::string everywhere = trusting.Token("root", "admin", "*");
  CHECK(WhyNot(trusting.As(everywhere, "nowhere").List({})) == "NO_SUCH_NAMESPACE");
}

TEST_CASE("A token file that is written anew is read again, without a new connection") {
  const Trusting trusting;
  const TempDir directory;
  const std::string path = directory.File("token");
  std::ofstream(path) << trusting.Token("anna", "inputs:read") << "\n";
  ClientOptions options;
  options.access_file = trusting.up->access();
  options.token_file = path;
  auto client = Client::Connect(trusting.up->address(), options);
  REQUIRE(client.ok());
  CHECK(WhyNot(client->Spawn(Task("work"))) == "SCOPE_MISSING");
  std::ofstream(path) << trusting.Token("anna", kUserScope) << "\n";
  CHECK(Becomes([&] { return client->Spawn(Task("work")).ok(); }));
}

TEST_CASE("A session outlives the token that opened it, when there is a newer one by then") {
  Trusting trusting;
  const TempDir directory;
  const std::string path = directory.File("token");
  const auto write = [&](absl::Duration lifetime) {
    std::ofstream(path + ".new") << trusting.Token("lab", "inputs:pull outputs:write", "default",
                                                   lifetime);
    std::filesystem::rename(path + ".new", path);
  };
  write(absl::Seconds(4));
  std::atomic<int> runs = 0;
  std::atomic<bool> may_end = false;
  executor::ExecutorOptions options;
  options.inputs_address = trusting.up->address();
  options.access_file = trusting.up->access();
  options.token_file = path;
  auto executor = executor::Executor::Make(options);
  REQUIRE(executor.ok());
  const auto handler = [&](executor::Context& context) -> absl::StatusOr<executor::Result> {
    ++runs;
    while (!may_end && !context.cancelled()) std::this_thread::yield();
    return executor::Result{"done", "text/plain"};
  };
  REQUIRE((*executor)->Handle("work", handler).ok());
  std::thread thread([&] { static_cast<void>((*executor)->Run()); });
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("work"));
  CHECK(task.ok());
  CHECK(Becomes([&] {
    if (runs == 0) write(absl::Seconds(4));  // Whatever this machine is busy with.
    return runs == 1;
  }));
  const auto connected_at = [&] {
    const auto executors = anna.ListExecutors();
    return executors.ok() && executors->size() == 1 && executors->front().connected
               ? executors->front().connected_at
               : absl::InfinitePast();
  };
  const absl::Time first = connected_at();
  write(absl::Minutes(10));
  CHECK(Becomes([&] { return connected_at() > first; }));
  may_end = true;
  CHECK(anna.Await(task->id)->succeeded());
  CHECK(runs == 1);
  (*executor)->Stop();
  thread.join();
}

TEST_CASE("Tokens of a key that its issuer publishes later are taken, as soon as that is known") {
  Trusting trusting;
  TokenMaker next("EdDSA", "key-2");
  nlohmann::json claims = Claims(absl::Now());
  claims["iss"] = trusting.issuer.url();
  claims["jti"] = "other";
  claims["iat"] = absl::ToUnixSeconds(absl::Now());
  const std::string token = next.Sign(claims);
  const std::string former = trusting.Token("anna", kUserScope);
  REQUIRE(trusting.As(former).Spawn(Task("work")).ok());
  trusting.issuer.SetKeys({next.Jwk()});
  CHECK(Becomes([&] { return trusting.As(token).Spawn(Task("work")).ok(); }));
  // Those of the key that went are refused from then on, also those that were known.
  CHECK(WhyNot(trusting.As(former).Spawn(Task("work"))) == "INVALID_TOKEN");
}

// The reason of how a call of a method ends that sends one empty message and shows nothing.
std::string WhyNotAtAll(const std::shared_ptr<grpc::Channel>& channel, const std::string& method) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareCall(&context, method, &queue);
  int one = 0;
  void* const mark = &one;
  void* tag = nullptr;
  bool ok = false;
  const auto done = [&] {
    REQUIRE(queue.Next(&tag, &ok));
    return ok;
  };
  call->StartCall(mark);
  done();
  const grpc::Slice nothing("", 0);
  if (ok) {
    call->WriteLast(grpc::ByteBuffer(&nothing, 1), {}, mark);
    done();
  }
  grpc::ByteBuffer answer;
  const auto read = [&] {
    call->Read(&answer, mark);
    return done();
  };
  while (read()) continue;
  grpc::Status status;
  call->Finish(&status, mark);
  done();
  queue.Shutdown();
  return status.ok() ? "OK" : platform::ReasonOf(platform::FromGrpc(status));
}

void CheckThatNoMethodAnswers(const std::shared_ptr<grpc::Channel>& channel,
                              const std::vector<std::string>& services, int methods) {
  for (const std::string& name : services) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    REQUIRE(service != nullptr);
    for (int i = 0; i < service->method_count(); ++i, --methods) {
      const std::string method = absl::StrCat("/", name, "/", service->method(i)->name());
      CAPTURE(method);
      const bool services_only = method == "/kantoku.outputs.v1.OutputsService/Fence" ||
                                 method == "/kantoku.events.v1.EventsService/Append";
      const bool gives_tokens = method == "/kantoku.auth.v1.GrantsService/ExchangeGrant";
      CHECK(WhyNotAtAll(channel, method) == (services_only  ? "NOT_A_SERVICE"
                                             : gives_tokens ? "INVALID_GRANT"
                                                            : "NO_TOKEN"));
    }
  }
  CHECK(methods == 0);
  CHECK(WhyNotAtAll(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") ==
        "NO_TOKEN");
  CHECK(WhyNotAtAll(channel, "/grpc.health.v1.Health/Check") == "OK");
}

const std::vector<std::string> kServices = {"kantoku.inputs.v1.InputsService",
                                            "kantoku.outputs.v1.OutputsService",
                                            "kantoku.events.v1.EventsService"};

TEST_CASE("No method of the server answers a call that shows nothing, but those of health") {
  const Trusting trusting;
  CheckThatNoMethodAnswers(trusting.up->ChannelOfNobody(), kServices, 24);
}

TEST_CASE("With the defaults, too, no method answers a call that shows nothing") {
  const Up up;
  std::vector<std::string> services = kServices;
  services.push_back("kantoku.auth.v1.GrantsService");
  CheckThatNoMethodAnswers(up.ChannelOfNobody(), services, 28);
}

}  // namespace
}  // namespace kantoku::test
