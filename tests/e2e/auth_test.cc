// Users, apps and executors with access tokens of an issuer elsewhere, and the real programs.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/auth/v1/blocks.pb.h"
#include "kantoku/auth/v1/grants.grpc.pb.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/executor-runtime/executor.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/grpc_status.h"
#include "tests/e2e/trusting.h"
#include "tests/support/token_maker.h"

namespace kantoku::test {
namespace {

// Answers tasks of a type, each with the same word, with a token of its own.
class Worker {
 public:
  Worker(const Up& up, const std::string& token, const std::string& type,
         const std::string& answer = "done") {
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
                         [answer](executor::Context&) -> absl::StatusOr<executor::Result> {
                           return executor::Result{answer, "text/plain"};
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

TEST_CASE("Whoever waits for what is not his is told at once that it does not exist") {
  const Trusting trusting;
  const auto task = trusting.As(trusting.Token("anna", kUserScope)).Spawn(Task("work"));
  REQUIRE(task.ok());
  // The last one is the owner, whom an administrator of `lab` may make tokens for: but not for
  // here.
  for (const std::string& token :
       {trusting.Token("ben", kUserScope), trusting.Token("ben", kUserScope, "*"),
        trusting.Token("root", "admin", "lab"), trusting.Token("anna", kUserScope, "lab")}) {
    Client stranger = trusting.As(token);
    CHECK(WhyNot(stranger.Await(task->id, {.timeout = kPatience})) == "UNKNOWN_TASK");
    CHECK(WhyNot(stranger.Stream(task->id)->Next(kPatience)) == "UNKNOWN_TASK");
  }
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

TEST_CASE("Grants are listed page by page, and a page that there is none of is refused") {
  const Up up;
  const auto stub = auth::v1::GrantsService::NewStub(up.Channel());
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    auth::v1::CreateGrantRequest request;
    request.set_app("laptop");
    request.add_scopes("inputs:read");
    auth::v1::CreateGrantResponse created;
    REQUIRE(stub->CreateGrant(&context, request, &created).ok());
    made.push_back(created.grant().id());
  }
  auth::v1::ListGrantsRequest request;
  auth::v1::ListGrantsResponse page;
  const auto list = [&] {
    grpc::ClientContext context;
    return platform::ReasonOf(platform::FromGrpc(stub->ListGrants(&context, request, &page)));
  };
  request.set_page_size(2);
  std::vector<std::string> listed;
  for (const int grants : {2, 1}) {
    REQUIRE(list().empty());
    REQUIRE(page.grants_size() == grants);
    for (const auto& grant : page.grants()) listed.push_back(grant.id());
    request.set_page_token(page.next_page_token());
  }
  CHECK(page.next_page_token().empty());
  std::sort(made.begin(), made.end());  // Those of one millisecond are in the order of their ids.
  std::sort(listed.begin(), listed.end());
  CHECK(listed == made);
  request.set_page_token("none");
  CHECK(list() == "BAD_PAGE_TOKEN");
  request.clear_page_token();
  request.set_page_size(1'001);
  CHECK(list() == "OUT_OF_RANGE");
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

// One streaming call with a token, without the libraries.
template <typename Request, typename Response>
struct BidiStream {
  using Stub = grpc::ClientReaderWriter<Request, Response>;
  template <typename Open>
  BidiStream(const std::string& token, Open open) {
    context.AddMetadata("authorization", "Bearer " + token);
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
    stream = open(&context);
  }

  // The reason with which it ends, after whatever still comes; pings are answered.
  std::string End() {
    Response response;
    while (stream->Read(&response)) {
      if constexpr (requires { response.ping(); }) {
        Request pong;
        pong.mutable_pong()->set_number(response.ping().number());
        if (response.has_ping()) stream->Write(pong);
      }
    }
    return platform::ReasonOf(platform::FromGrpc(stream->Finish()));
  }

  grpc::ClientContext context;
  std::unique_ptr<Stub> stream;
};
using AwaitStream = BidiStream<outputs::v1::AwaitRequest, outputs::v1::AwaitResponse>;
using PullStream = BidiStream<inputs::v1::PullRequest, inputs::v1::PullResponse>;

inputs::v1::Hello HelloOf(const std::string& type) {
  inputs::v1::Hello hello;
  hello.set_session_id("0123456789abcdef");
  hello.add_types(type);
  hello.mutable_credit()->set_max_held(1);
  return hello;
}

// The connection of an executor that says this hello.
PullStream Greet(inputs::v1::InputsService::Stub& stub, const std::string& token,
                 const inputs::v1::Hello& hello) {
  return PullStream(token, [&](grpc::ClientContext* context) {
    auto stream = stub.Pull(context);
    inputs::v1::PullRequest request;
    *request.mutable_hello() = hello;
    REQUIRE(stream->Write(request));
    return stream;
  });
}

// A session of an executor that says hello, and has been welcomed.
PullStream Pull(inputs::v1::InputsService::Stub& stub, const std::string& token) {
  return PullStream(token, [&](grpc::ClientContext* context) {
    auto stream = stub.Pull(context);
    inputs::v1::PullRequest request;
    *request.mutable_hello() = HelloOf("work");
    REQUIRE(stream->Write(request));
    inputs::v1::PullResponse response;
    do {  // A ping may be first.
      REQUIRE(stream->Read(&response));
    } while (!response.has_welcome());
    return stream;
  });
}

AwaitStream Await(outputs::v1::OutputsService::Stub& stub, const std::string& token,
                  const std::vector<std::string>& tasks) {
  return AwaitStream(token, [&](grpc::ClientContext* context) {
    auto stream = stub.Await(context);
    outputs::v1::AwaitRequest request;
    request.mutable_task_ids()->Assign(tasks.begin(), tasks.end());
    REQUIRE(stream->Write(request));
    return stream;
  });
}

TEST_CASE("An administrator waits for whatever is in his namespace, and hears how it ends") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("work"));
  REQUIRE(task.ok());
  const std::string id(task->id.bytes());
  std::string unknown = id;
  unknown.back() = static_cast<char>(unknown.back() ^ 1);
  const auto stub = outputs::v1::OutputsService::NewStub(trusting.up->ChannelOfNobody());
  const std::string token = trusting.Token("root", "admin");
  outputs::v1::StreamRequest request;
  request.set_task_id(id);
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + token);
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
  const auto items = stub->Stream(&context, request);
  outputs::v1::StreamResponse item;
  REQUIRE(items->Read(&item));  // It waits from now on.
  CHECK_FALSE(item.has_result());
  // Inputs is asked about both at once, so what it says of one it has said of the other.
  AwaitStream futures = Await(*stub, token, {id, unknown});
  outputs::v1::AwaitResponse answer;
  REQUIRE(futures.stream->Read(&answer));
  REQUIRE(answer.results_size() == 1);
  CHECK(answer.results(0).task_id() == unknown);
  REQUIRE(anna.Cancel(task->id).ok());
  REQUIRE(futures.stream->Read(&answer));
  REQUIRE(answer.results_size() == 1);
  CHECK(answer.results(0).result().status() == outputs::v1::RESULT_STATUS_CANCELLED);
  REQUIRE(items->Read(&item));
  CHECK(item.result().status() == outputs::v1::RESULT_STATUS_CANCELLED);
}

TEST_CASE("An executor is not let in for a type that its token does not name") {
  const Trusting trusting;
  const auto stub = inputs::v1::InputsService::NewStub(trusting.up->ChannelOfNobody());
  const std::string token = trusting.Token("lab", "inputs:pull:segment-* outputs:write");
  inputs::v1::Hello hello = HelloOf("segment-cells");
  hello.add_types("work");
  CHECK(Greet(*stub, token, hello).End() == "SCOPE_MISSING");
  CHECK(trusting.As(trusting.Token("anna", kUserScope)).ListExecutors()->empty());
}

TEST_CASE(
    "What is for a trusted site goes to executors whose token names it, whatever others say") {
  const Trusting trusting;
  const auto pulls = [&](const nlohmann::json& labels) {
    return trusting.Sign("worker",
                         {{"scope", "inputs:pull:work outputs:write"}, {"kantoku_labels", labels}});
  };
  const auto stub = inputs::v1::InputsService::NewStub(trusting.up->ChannelOfNobody());
  inputs::v1::Hello liar = HelloOf("work");
  (*liar.mutable_labels())["trusted/site"] = "lab";
  CHECK(Greet(*stub, pulls({{"site", "home"}}), liar).End() == "TRUSTED_LABEL");
  const Worker home(*trusting.up, pulls({{"site", "home"}}), "work", "at home");
  const Worker lab(*trusting.up, pulls({{"site", "lab"}}), "work", "in the lab");
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  REQUIRE(Becomes([&] { return anna.ListExecutors()->size() == 2; }));
  const auto answer = [&](TaskId task) {
    const auto output = anna.Await(task, {.timeout = kPatience});
    return output.ok() ? output->data : WhyNot(output);
  };
  const auto spawn = [&](const std::string& selector) {
    const auto task = anna.Spawn(Task("work").With(Placement({.selector = selector})));
    REQUIRE(task.ok());
    return task->id;
  };
  std::vector<TaskId> tasks(6);
  for (TaskId& task : tasks) task = spawn("trusted/site == \"lab\"");
  for (const TaskId& task : tasks) CHECK(answer(task) == "in the lab");
  // The other one is no worse otherwise.
  CHECK(answer(spawn("trusted/site == \"home\"")) == "at home");
}

// What one thread says to another, once.
class Word {
 public:
  void Say() {
    const std::lock_guard lock(mutex_);
    said_ = true;
    changed_.notify_all();
  }
  // Whether it was said before the stop, and within so much time.
  bool Await(const std::stop_token& stop, std::chrono::seconds patience = std::chrono::minutes(1)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, stop, patience, [this] { return said_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool said_ = false;
};

// A file that holds a token of the user "lab", good for four seconds, and another one each second.
class RenewedFile {
 public:
  explicit RenewedFile(const Trusting& trusting) : trusting_(trusting) {
    Write();
    thread_ = std::jthread([this](const std::stop_token& stop) {
      Word nothing;
      while (!stop.stop_requested() && !nothing.Await(stop, std::chrono::seconds(1))) Write();
    });
  }

  const std::string& path() const { return path_; }

 private:
  void Write() {
    std::ofstream(path_ + ".new") << trusting_.Token("lab", "inputs:pull outputs:write", "default",
                                                     absl::Seconds(4));
    std::filesystem::rename(path_ + ".new", path_);
  }

  const Trusting& trusting_;
  TempDir directory_;
  const std::string path_ = directory_.File("token");
  std::jthread thread_;
};

TEST_CASE("A session and futures outlive three tokens on the connections that they have") {
  const Trusting trusting;
  const RenewedFile file(trusting);
  executor::ExecutorOptions options;
  options.inputs_address = trusting.up->address();
  options.access_file = trusting.up->access();
  options.token_file = file.path();
  auto executor = executor::Executor::Make(options);
  REQUIRE(executor.ok());
  std::atomic<int> runs = 0;
  Word may_end;
  const auto handler = [&](executor::Context& context) -> absl::StatusOr<executor::Result> {
    ++runs;
    if (!may_end.Await(context.stop_token())) return absl::CancelledError("disturbed");
    return executor::Result{"done", "text/plain"};
  };
  REQUIRE((*executor)->Handle("work", handler).ok());
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  std::thread thread([&] { static_cast<void>((*executor)->Run()); });
  const auto task = anna.Spawn(Task("work"));
  CHECK(task.ok());
  const auto connected_at = [&] {
    const auto executors = anna.ListExecutors();
    return executors.ok() && executors->size() == 1 && executors->front().connected
               ? executors->front().connected_at
               : absl::InfinitePast();
  };
  CHECK(Becomes([&] { return runs == 1; }));
  const absl::Time connected = connected_at();

  const auto stub = outputs::v1::OutputsService::NewStub(trusting.up->ChannelOfNobody());
  const auto token = [&] {
    return trusting.Token("anna", kUserScope, "default", absl::Seconds(4));
  };
  AwaitStream futures = Await(*stub, token(), {std::string(task->id.bytes())});
  outputs::v1::AwaitResponse response;
  for (int asked = 0; futures.stream->Read(&response) && response.results().empty();) {
    if (!response.has_token_wanted()) continue;
    CHECK(platform::FromProto(response.token_wanted().within()) <= absl::Seconds(1));
    if (++asked > 3) may_end.Say();
    outputs::v1::AwaitRequest request;
    request.set_access_token(token());
    futures.stream->Write(request);
  }
  REQUIRE(response.results_size() == 1);
  CHECK(response.results(0).result().data() == "done");
  CHECK(runs == 1);
  CHECK(connected_at() == connected);
  (*executor)->Stop();
  thread.join();
}

TEST_CASE(
    "Every stream without a newer token ends five seconds after the one it has, and says why") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto task = anna.Spawn(Task("other"));
  REQUIRE(task.ok());
  const auto channel = trusting.up->ChannelOfNobody();
  const auto inputs = inputs::v1::InputsService::NewStub(channel);
  const auto outputs = outputs::v1::OutputsService::NewStub(channel);
  const auto events = events::v1::EventsService::NewStub(channel);
  const std::string token =
      trusting.Token("anna", "inputs:pull outputs:read events:read", "default", absl::Seconds(4));
  const absl::Time ends = absl::Now() + absl::Seconds(3);  // Its end is a whole second.
  PullStream pull = Pull(*inputs, token);
  AwaitStream await = Await(*outputs, token, {std::string(task->id.bytes())});
  const auto end_of = [&](auto& stub, auto method, const auto& request, auto response) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
    const auto stream = (stub.*method)(&context, request);
    while (stream->Read(&response)) continue;
    return platform::ReasonOf(platform::FromGrpc(stream->Finish()));
  };
  std::string subscription;
  std::thread subscriber([&] {
    subscription = end_of(*events, &events::v1::EventsService::Stub::Subscribe,
                          events::v1::SubscribeRequest(), events::v1::SubscribeResponse());
  });
  std::string items;
  std::thread reader([&] {
    outputs::v1::StreamRequest request;
    request.set_task_id(std::string(task->id.bytes()));
    items = end_of(*outputs, &outputs::v1::OutputsService::Stub::Stream, request,
                   outputs::v1::StreamResponse());
  });
  CHECK(pull.End() == "TOKEN_EXPIRED");
  CHECK(absl::Now() >= ends + absl::Seconds(5));
  CHECK(await.End() == "TOKEN_EXPIRED");
  subscriber.join();
  CHECK(subscription == "TOKEN_EXPIRED");
  reader.join();
  CHECK(items == "TOKEN_EXPIRED");
}

TEST_CASE("Who shows another user's token in a session ends the connection, and gets no session") {
  const Trusting trusting;
  Client anna = trusting.As(trusting.Token("anna", kUserScope));
  const auto stub = inputs::v1::InputsService::NewStub(trusting.up->ChannelOfNobody());
  PullStream pull = Pull(*stub, trusting.Token("lab", "inputs:pull"));
  REQUIRE(anna.Spawn(Task("work")).ok());  // Now: a welcome may have tasks with it.
  inputs::v1::PullResponse response;
  do {
    REQUIRE(pull.stream->Read(&response));
  } while (response.tasks().empty());
  inputs::v1::PullRequest request;
  request.set_access_token(trusting.Token("eve", "inputs:pull"));
  request.mutable_credit()->set_max_held(7);
  REQUIRE(pull.stream->Write(request));
  CHECK(pull.End() == "TOKEN_DIFFERS");
  // What is held keeps the session for its grace.
  const auto executors = anna.ListExecutors();
  REQUIRE(executors.ok());
  REQUIRE(executors->size() == 1);
  CHECK(executors->front().executor_owner == "lab");
  CHECK(executors->front().max_held == 1);
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
                                 method == "/kantoku.events.v1.EventsService/Append" ||
                                 method == "/kantoku.auth.v1.BlocksService/ReplaceBlocks";
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

TEST_CASE("No method of the server answers a call that shows nothing, but those of health") {
  const Trusting trusting;
  CheckThatNoMethodAnswers(trusting.up->ChannelOfNobody(), kServerServices, 27);
}

TEST_CASE("With the defaults, too, no method answers a call that shows nothing") {
  const Up up;
  std::vector<std::string> services = kServerServices;
  services.push_back("kantoku.auth.v1.GrantsService");
  CheckThatNoMethodAnswers(up.ChannelOfNobody(), services, 31);
}

}  // namespace
}  // namespace kantoku::test
