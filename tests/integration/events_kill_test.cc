// kantoku-events under kill -9: sources repeat what was not answered, readers go on where they
// were, and nothing is lost, doubled or reordered.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/service_identity.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::events {
namespace {

constexpr int kSources = 3;
constexpr uint64_t kBatches = 300;
constexpr int kKills = 5;

// The server, of which there is always one, or soon will be.
class Server {
 public:
  Server() : data_(directory_.File("data")) {
    std::filesystem::create_directory(data_);
    std::filesystem::permissions(data_, std::filesystem::perms::owner_all);
    auto keys = platform::MacKeys::LoadOrCreate(data_ + "/mac.keys");
    KANTOKU_CHECK(keys.ok());
    keys_ = *std::move(keys);
    Start();
  }

  void KillAndRestart() {
    child_->Kill();
    Start();
  }

  const platform::MacKeys& keys() const { return *keys_; }

  // A channel to the server after `generation`, which then names it.
  std::shared_ptr<grpc::Channel> Connect(int& generation) {
    platform::MutexLock lock(mu_);
    while (generation_ == generation) restarted_.Wait(mu_);
    generation = generation_;
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port_),
                               grpc::InsecureChannelCredentials());
  }

 private:
  void Start() {
    const std::string port_file = directory_.File("port");
    std::filesystem::remove(port_file);
    auto child = test::ChildProcess::Start(
        {.argv = {test::Binary("kantoku-events"), "--data", data_, "--listen", "127.0.0.1:0",
                  "--port-file", port_file, "--set", "server.metrics_listen=none"}});
    KANTOKU_CHECK(child.ok());
    child_ = *std::move(child);
    const auto port = child_->AwaitFile(port_file);
    INFO(port.status().message());
    REQUIRE(port.ok());
    platform::MutexLock lock(mu_);
    port_ = *port;
    ++generation_;
    restarted_.SignalAll();
  }

  const test::TempDir directory_;
  const std::string data_;
  std::unique_ptr<platform::MacKeys> keys_;
  std::unique_ptr<test::ChildProcess> child_;

  platform::Mutex mu_;
  platform::CondVar restarted_;
  std::string port_ ABSL_GUARDED_BY(mu_);
  int generation_ ABSL_GUARDED_BY(mu_) = 0;
};

// How many batches were answered, for who wants to kill in the midst of them.
class Progress {
 public:
  void Add() {
    platform::MutexLock lock(mu_);
    ++count_;
    changed_.SignalAll();
  }
  void Await(uint64_t count) {
    platform::MutexLock lock(mu_);
    while (count_ < count) changed_.Wait(mu_);
  }

 private:
  platform::Mutex mu_;
  platform::CondVar changed_;
  uint64_t count_ ABSL_GUARDED_BY(mu_) = 0;
};

std::string TypeOf(int source, uint64_t number) { return absl::StrCat("s", source, ".", number); }

v1::AppendRequest Request(int source, uint64_t number) {
  v1::EventBatch batch;
  v1::EventRun& run = *batch.add_runs();
  run.set_type(TypeOf(source, number));
  run.set_namespace_("default");
  v1::AppendRequest request;
  request.set_source(absl::StrCat("source/", source));
  v1::NumberedBatch& numbered = *request.add_batches();
  numbered.set_number(number);
  numbered.set_batch(batch.SerializeAsString());
  return request;
}

void Feed(Server& server, int source, Progress& progress) {
  int generation = 0;
  auto stub = v1::EventsService::NewStub(server.Connect(generation));
  for (uint64_t number = 1; number <= kBatches;) {
    grpc::ClientContext context;
    platform::PresentAsService(context, server.keys(), "inputs", absl::Now());
    v1::AppendResponse response;
    if (stub->Append(&context, Request(source, number), &response).ok()) {
      KANTOKU_CHECK(response.durable_number() == number);
      progress.Add();
      ++number;
    } else {
      stub = v1::EventsService::NewStub(server.Connect(generation));
    }
  }
}

std::vector<std::string> Follow(Server& server) {
  std::vector<std::string> types;
  v1::SubscribeRequest request;
  int generation = 0;
  while (true) {
    const auto stub = v1::EventsService::NewStub(server.Connect(generation));
    grpc::ClientContext context;
    const auto reader = stub->Subscribe(&context, request);
    v1::SubscribeResponse message;
    while (reader->Read(&message)) {
      KANTOKU_CHECK(!message.gap());
      for (const v1::Event& event : message.events()) types.push_back(event.type());
      request.set_after(message.next());
      if (types.size() >= kSources * kBatches) return types;
    }
  }
}

std::vector<std::string> ReadAll(Server& server) {
  int generation = 0;
  const auto stub = v1::EventsService::NewStub(server.Connect(generation));
  grpc::ClientContext context;
  v1::ReadRequest request;
  request.set_limit(10'000);
  v1::ReadResponse page;
  REQUIRE(stub->Read(&context, request, &page).ok());
  CHECK(page.end());
  std::vector<std::string> types;
  for (const v1::Event& event : page.events()) types.push_back(event.type());
  return types;
}

TEST_CASE("Kills in the midst of appends lose, double and reorder nothing") {
  Server server;
  Progress progress;
  std::vector<std::thread> sources;
  sources.reserve(kSources);
  for (int source = 0; source < kSources; ++source) {
    sources.emplace_back([&, source] { Feed(server, source, progress); });
  }
  std::vector<std::string> followed;
  std::thread follower([&] { followed = Follow(server); });

  for (uint64_t kill = 1; kill <= kKills; ++kill) {
    progress.Await(kill * kSources * kBatches / (kKills + 1));
    server.KillAndRestart();
  }
  for (std::thread& source : sources) source.join();
  follower.join();

  std::map<char, uint64_t> last;
  for (const std::string& type : followed) {
    const int source = type[1] - '0';
    CHECK(type == TypeOf(source, ++last[type[1]]));
  }
  CHECK(followed.size() == kSources * kBatches);
  CHECK(ReadAll(server) == followed);
}

}  // namespace
}  // namespace kantoku::events
