// Await over gRPC with clients that read slowly, and a store that commits when a test says so.
#include "services/outputs/await_stream.h"

#include <prometheus/registry.h>

#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/outputs/service.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;
using platform::Transaction;

constexpr size_t kMiB = size_t{1} << 20;

TaskId Task(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5);
}

// An Inputs that never answers: whoever waits for it waits on.
class SilentInputs final : public TaskLives {
 public:
  void Ask(std::vector<Question>, Done) override {}
};

class Client {
 public:
  explicit Client(v1::OutputsService::Stub& stub) {
    // What a test waits for comes within this time, or never.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    stream_ = stub.Await(&context_);
  }
  ~Client() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  void Ask(const std::vector<std::string>& ids) {
    v1::AwaitRequest request;
    for (const std::string& id : ids) request.add_task_ids(id);
    REQUIRE(stream_->Write(request));
  }
  void AskFor(uint64_t first, uint64_t last) {
    std::vector<std::string> ids;
    for (uint64_t i = first; i <= last; ++i) ids.emplace_back(Task(i).bytes());
    Ask(ids);
  }
  void HalfClose() { stream_->WritesDone(); }
  // Reads until so many answers came in all, or the stream ends. Their ids, in order.
  const std::vector<std::string>& ReadUntil(size_t count) {
    v1::AwaitResponse response;
    while (read_.size() < count && stream_->Read(&response)) {
      for (const auto& result : response.results()) read_.push_back(result.task_id());
    }
    return read_;
  }
  size_t CountRead() const { return std::set<std::string>(read_.begin(), read_.end()).size(); }
  absl::Status Finish() {
    finished_ = true;
    return platform::FromGrpc(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AwaitRequest, v1::AwaitResponse>> stream_;
  std::vector<std::string> read_;
  bool finished_ = false;
};

class Place {
 public:
  explicit Place(const OutputsServiceImpl::Options& options)
      : service_(options, *keys_, clock_, calls_, metrics_) {
    auto partition =
        OutputsPartition::Start({.runner = {.name = "outputs/0"}, .random = [] { return 0; }},
                                store_, clock_, inputs_, metrics_);
    REQUIRE(partition.ok());
    partition_ = *std::move(partition);
    service_.Open(*partition_);
    server_ = std::make_unique<platform::TestServer>(service_);
    // What a client does not read stays on the server, whatever the connection could carry.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stub_ = v1::OutputsService::NewStub(server_->Connect(arguments));
  }
  ~Place() {
    server_.reset();  // Its calls end before what they use.
    partition_->Stop();
  }

  v1::OutputsService::Stub& stub() { return *stub_; }
  OutputsPartition& partition() { return *partition_; }
  platform::StoreFaults& faults() { return faults_; }
  double answered() const { return metrics_.answered->Value(); }
  double waiters() const { return metrics_.waiters->Value(); }

  // The future is ready once the result is durable, and told to those who wait.
  std::future<void> Put(uint64_t task, size_t bytes) {
    const auto done = std::make_shared<std::promise<void>>();
    const auto put = [done, task, data = std::string(bytes, 'x')](OutputsPartition& partition,
                                                                  Transaction& transaction) {
      const ResultBook::Offer offers[] = {{.result = {.task = Task(task),
                                                      .status = ResultStatus::kSucceeded,
                                                      .dispatch = 1,
                                                      .name_space = "default",
                                                      .owner = "local",
                                                      .data = data},
                                           .retention = absl::Hours(24)}};
      KANTOKU_CHECK(partition.Put(offers, transaction).ok());
      transaction.Reply([done](const absl::Status&) { done->set_value(); });
    };
    Post(put);
    return done->get_future();
  }
  void PutAll(uint64_t first, uint64_t last, size_t bytes) {
    for (uint64_t i = first; i < last; ++i) Put(i, bytes);
    Put(last, bytes).wait();
    Put(1'000'000 + last, 1).wait();  // What was told before has been told.
  }
  // Returns when what was posted before has been applied.
  void Apply() {
    const auto applied = std::make_shared<std::promise<void>>();
    Post([applied](OutputsPartition&, Transaction&) { applied->set_value(); });
    applied->get_future().wait();
  }
  // Lets the apply thread wait until the promise is kept.
  std::promise<void> Block() {
    std::promise<void> promise;
    Post([until = promise.get_future()](OutputsPartition&, Transaction&) { until.wait(); });
    return promise;
  }
  template <typename Predicate>
  void Until(Predicate predicate) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!predicate()) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      Apply();
      std::this_thread::yield();
    }
  }

 private:
  void Post(OutputsPartition::Command command) {
    const absl::Status posted =
        partition_->Post(std::move(command), OutputsPartition::Urgency::kUrgent);
    REQUIRE(posted.ok());
  }

  platform::FakeClock clock_;
  platform::StoreFaults faults_;
  std::unique_ptr<platform::RecordStoreFactory> factory_ =
      platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  platform::FaultInjectingRecordStore store_{*factory_->Open(0), faults_};
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  platform::CallMonitor calls_{registry_, platform::Clock::Real()};
  std::unique_ptr<platform::MacKeys> keys_ =
      platform::MacKeys::Make({{1, std::string(32, 'k')}}).value();
  SilentInputs inputs_;
  std::unique_ptr<OutputsPartition> partition_;
  OutputsServiceImpl service_;
  std::unique_ptr<platform::TestServer> server_;
  std::unique_ptr<v1::OutputsService::Stub> stub_;
};

TEST_CASE("While answers are deferred no further request is read") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  Client client(place.stub());
  client.AskFor(1, 20);
  place.Until([&] { return place.partition().deferred() > 0; });
  client.Ask({"ping"});  // No id, so it is answered as soon as it is read.
  client.HalfClose();
  const auto& read = client.ReadUntil(22);
  CHECK(read.size() == 21);
  CHECK(read.back() == "ping");
  CHECK(client.CountRead() == 21);
  CHECK(client.Finish().ok());
  CHECK(place.partition().deferred() == 0);
}

TEST_CASE("However many answers are deferred, a client that reads gets them all") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  place.PutAll(21, 5000, 1);
  Client client(place.stub());
  client.AskFor(1, 5000);
  client.HalfClose();
  place.Until([&] { return place.partition().deferred() > 4900; });
  client.ReadUntil(5001);
  CHECK(client.CountRead() == 5000);
  CHECK(client.Finish().ok());
}

TEST_CASE("A client that asks for no more and reads slowly gets every answer that it is owed") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  Client client(place.stub());
  client.AskFor(1, 21);
  client.HalfClose();
  place.Until([&] { return place.waiters() == 21; });
  place.PutAll(1, 20, kMiB);
  const size_t deferred = place.partition().deferred();
  REQUIRE(deferred > 0);

  // The last one that waits is resolved; meanwhile the client reads, and what was deferred is to be
  // looked up when the apply thread has time for it.
  const int commits = place.faults().commits();
  place.faults().CloseGate();
  const auto put = place.Put(21, 1);
  place.faults().AwaitCommits(commits + 1);
  std::promise<void> go_on = place.Block();
  client.ReadUntil(20 - deferred);
  place.faults().OpenGate();
  client.ReadUntil(21 - deferred);
  go_on.set_value();

  client.ReadUntil(22);
  CHECK(client.CountRead() == 21);
  CHECK(client.Finish().ok());
}

TEST_CASE("Clients that do not read share a bound, and each that reads gets all its answers") {
  constexpr size_t kClients = 10;
  constexpr size_t kResults = 20;
  Place place({.max_answer_bytes = 4 * kMiB});
  place.PutAll(1, kResults, kMiB);
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(place.stub()));
    clients.back()->AskFor(1, kResults);
    clients.back()->HalfClose();
  }
  const auto told = [&] { return static_cast<size_t>(place.answered()); };
  place.Until([&] { return told() + place.partition().deferred() == kClients * kResults; });
  // The budget, and one more for each client.
  CHECK(told() <= 4 + kClients);
  for (const auto& client : clients) {
    client->ReadUntil(kResults + 1);
    CHECK(client->CountRead() == kResults);
    CHECK(client->Finish().ok());
  }
  CHECK(place.partition().deferred() == 0);
}

TEST_CASE("A client that leaves takes what was deferred for it along") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  {
    Client client(place.stub());
    client.AskFor(1, 20);
    place.Until([&] { return place.partition().deferred() > 0; });
  }
  place.Until([&] { return place.partition().deferred() == 0; });
}

TEST_CASE("Await calls beyond the bound are refused, until one ends") {
  Place place({.max_await_streams = 2});
  auto first = std::make_unique<Client>(place.stub());
  Client second(place.stub());
  for (Client* const client : {first.get(), &second}) {
    client->Ask({"ping"});
    CHECK(client->ReadUntil(1).size() == 1);
  }
  const auto refusal = [&] {
    Client client(place.stub());
    client.HalfClose();
    return client.Finish();
  };
  const absl::Status refused = refusal();
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(refused) == "TOO_MANY_STREAMS");
  first.reset();
  place.Until([&] { return refusal().ok(); });
}

}  // namespace
}  // namespace kantoku::outputs
