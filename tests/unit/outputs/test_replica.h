#ifndef KANTOKU_TESTS_UNIT_OUTPUTS_TEST_REPLICA_H_
#define KANTOKU_TESTS_UNIT_OUTPUTS_TEST_REPLICA_H_

#include <prometheus/registry.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/outputs/service.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/replicas/partition_map.h"
#include "services/platform/replicas/served_partitions.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::outputs {

inline platform::TaskId Task(uint64_t sequence, uint32_t slot = 3) {
  return platform::TaskId::Make(absl::FromUnixSeconds(1'700'000'000), slot, sequence, 5);
}

// An Inputs that never answers: whoever waits for it waits on.
class SilentInputs final : public TaskLives {
 public:
  void Ask(std::vector<Question>, Done) override {}
};

// An Await call that a test reads answer by answer.
class AwaitClient {
 public:
  explicit AwaitClient(v1::OutputsService::Stub& stub) {
    // What a test waits for comes within this time, or never.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    stream_ = stub.Await(&context_);
  }
  ~AwaitClient() {
    context_.TryCancel();
    if (!finished_) static_cast<void>(Finish());
  }

  void Ask(const std::vector<std::string>& ids, const std::vector<std::string>& forget = {}) {
    v1::AwaitRequest request;
    for (const std::string& id : ids) request.add_task_ids(id);
    for (const std::string& id : forget) request.add_forget(id);
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

// A server of Outputs with the partitions that a test opens in it, over stores in memory. Where
// the others are, the map says.
class TestReplica {
 public:
  TestReplica(const OutputsServiceImpl::Options& options, const platform::PartitionMap& map)
      : here_(map.count()),
        service_(options, {map, here_, &forwarder_}, *keys_, clock_, calls_, metrics_),
        server_(std::make_unique<platform::TestServer>(service_)) {
    // What a client does not read stays on the server, whatever the connection could carry.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    stub_ = v1::OutputsService::NewStub(server_->Connect(arguments));
  }
  ~TestReplica() {
    StopServer();
    while (!opened_.empty()) Close(opened_.begin()->first);
  }

  void Open(uint32_t number) {
    auto opened = std::make_shared<Opened>(number, clock_, inputs_, metrics_);
    here_.Put(number, {opened, &opened->served});
    opened_.emplace(number, std::move(opened));
  }
  // As when it goes elsewhere.
  void Close(uint32_t number) {
    here_.Take(number);
    opened_.at(number)->partition->Stop();
    opened_.erase(number);
  }
  // Every call ends before what it uses.
  void StopServer() {
    forwarder_.Stop();
    server_.reset();
  }

  const std::string& address() const { return server_->address(); }
  const platform::MacKeys& keys() const { return *keys_; }
  v1::OutputsService::Stub& stub() { return *stub_; }
  OutputsServiceImpl& service() { return service_; }
  OutputsPartition& partition(uint32_t number) { return *opened_.at(number)->partition; }
  platform::StoreFaults& faults(uint32_t number) { return opened_.at(number)->faults; }
  double answered() const { return metrics_.answered->Value(); }
  double waiters() const { return metrics_.waiters->Value(); }

  // The future is ready once the result is durable, and told to those who wait.
  std::future<void> Put(uint32_t number, const platform::TaskId& task, size_t bytes) {
    const auto done = std::make_shared<std::promise<void>>();
    const auto put = [done, task, data = std::string(bytes, 'x')](
                         OutputsPartition& partition, platform::Transaction& transaction) {
      const ResultBook::Offer offers[] = {{.result = {.task = task,
                                                      .status = ResultStatus::kSucceeded,
                                                      .dispatch = 1,
                                                      .name_space = "default",
                                                      .owner = "local",
                                                      .data = data},
                                           .retention = absl::Hours(24)}};
      KANTOKU_CHECK(partition.Put(offers, transaction).ok());
      transaction.Reply([done](const absl::Status&) { done->set_value(); });
    };
    Post(number, put);
    return done->get_future();
  }
  void Post(uint32_t number, OutputsPartition::Command command) {
    const absl::Status posted =
        partition(number).Post(std::move(command), OutputsPartition::Urgency::kUrgent);
    REQUIRE(posted.ok());
  }
  // Looks each time after what was posted to the partition before has been applied.
  template <typename Predicate>
  void Until(uint32_t number, Predicate predicate) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!predicate()) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
      const auto applied = std::make_shared<std::promise<void>>();
      Post(number, [applied](OutputsPartition&, platform::Transaction&) { applied->set_value(); });
      applied->get_future().wait();
      std::this_thread::yield();
    }
  }

 private:
  struct Opened {
    Opened(uint32_t number, platform::Clock& clock, TaskLives& inputs, Metrics& metrics)
        : partition(
              OutputsPartition::Start({.runner = {.name = "outputs/" + std::to_string(number)},
                                       .random = [] { return 0; }},
                                      store, clock, inputs, metrics)
                  .value()),
          served{.number = number, .partition = *partition} {}

    platform::StoreFaults faults;
    std::unique_ptr<platform::RecordStoreFactory> factory =
        platform::MakeMemoryRecordStoreFactory(OutputsSchema());
    platform::FaultInjectingRecordStore store{*factory->Open(0), faults};
    std::unique_ptr<OutputsPartition> partition;
    Served served;
  };

  platform::FakeClock clock_;
  prometheus::Registry registry_;
  Metrics metrics_{registry_};
  platform::CallMonitor calls_{registry_, platform::Clock::Real()};
  std::unique_ptr<platform::MacKeys> keys_ =
      platform::MacKeys::Make({{1, std::string(32, 'k')}}).value();
  SilentInputs inputs_;
  platform::ServedPartitions<Served> here_;
  std::map<uint32_t, std::shared_ptr<Opened>> opened_;
  platform::Forwarder forwarder_{[this](const std::string& address) {
                                   grpc::ChannelArguments arguments;
                                   arguments.SetMaxReceiveMessageSize(-1);
                                   return grpc::CreateCustomChannel(
                                       address.empty() ? this->address() : address,
                                       grpc::InsecureChannelCredentials(), arguments);
                                 },
                                 *keys_, platform::Clock::Real()};
  OutputsServiceImpl service_;
  std::unique_ptr<platform::TestServer> server_;
  std::unique_ptr<v1::OutputsService::Stub> stub_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_TESTS_UNIT_OUTPUTS_TEST_REPLICA_H_
