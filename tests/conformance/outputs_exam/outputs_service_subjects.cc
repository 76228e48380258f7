#include <string>
#include <utility>

#include "kantoku/config/v1/config.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/outputs/module.h"
#include "services/outputs/partition_stack.h"
#include "services/outputs/service.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/rpc/service.h"
#include "services/platform/server/program.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/conformance/outputs_exam/outputs_service_exam.h"
#include "tests/conformance/outputs_exam/table_of_tasks.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/half_map.h"
#include "tests/support/plain_user.h"
#include "tests/support/postgres_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::outputs {
namespace {

// Shows the table as Inputs.
class TableService final : public platform::Service {
 public:
  explicit TableService(TableOfTasks& table)
      : Service(inputs::v1::InputsService::service_full_name()), table_(table) {
    Handle("GetTasks", &TableService::GetTasks);
  }

  void GetTasks(platform::UnaryCall* call, const inputs::v1::GetTasksRequest* request,
                inputs::v1::GetTasksResponse* response) {
    KANTOKU_CHECK((*call->identity())->service == "outputs" && request->states_only());
    KANTOKU_CHECK(request->asked_for_size() == request->task_ids_size());
    for (const uint32_t place : request->asked_for()) {
      const inputs::v1::Onlooker& local = request->onlookers(static_cast<int>(place));
      KANTOKU_CHECK(local.subject() == "local" && local.namespaces_size() == 1);
      KANTOKU_CHECK(local.namespaces(0) == "*" && !local.administrator());
    }
    call->Finish(table_.Answer(*request, *response));
  }

 private:
  TableOfTasks& table_;
};

class TableModule final : public platform::Module {
 public:
  explicit TableModule(TableOfTasks& table) : service_(table) {}
  std::string_view name() const override { return "inputs"; }
  std::vector<grpc::Service*> services() override { return {&service_}; }
  absl::Status Start() override { return absl::OkStatus(); }
  void Drain(absl::Duration) override {}
  void Stop() override {}
  bool healthy() const override { return true; }

 private:
  TableService service_;
};

// Half of Outputs: one of two partitions, in memory.
class HalfModule final : public platform::Module {
 public:
  HalfModule(const config::v1::OutputsConfig& config, const test::HalfMap& map,
             platform::Environment& environment)
      : config_(config),
        mine_(map.mine()),
        metrics_(environment.metrics()),
        forwarder_(
            [&environment](const std::string& address) { return environment.Connect(address); },
            environment.mac_keys(), environment.clock()),
        service_({.max_result_bytes = config.max_result_bytes()}, {map, here_, &forwarder_},
                 environment.mac_keys(), environment.clock(), environment.calls(), metrics_) {
    OutputsPartition::Options options;
    options.book.max_bytes = config.max_bytes();
    options.awaits.per_stream = config.max_awaits_per_stream();
    options.runner.name = "outputs/" + std::to_string(mine_);
    options.random = [&environment] { return environment.Random(); };
    auto stack =
        PartitionStack::Open(mine_, std::move(options), *stores_, config_, environment, metrics_);
    KANTOKU_CHECK(stack.ok());
    stack_ = *std::move(stack);
  }
  ~HalfModule() override { Stop(); }

  std::string_view name() const override { return "outputs"; }
  std::vector<grpc::Service*> services() override { return {&service_}; }
  absl::Status Start() override {
    here_.Put(mine_, PartitionStack::ServedOf(stack_));
    return absl::OkStatus();
  }
  void Drain(absl::Duration) override {
    service_.EndStreams();
    forwarder_.Drain();
  }
  void Stop() override {
    service_.AbortStreams();
    forwarder_.Stop();
    here_.Take(mine_);
    stack_->Stop();
  }
  bool healthy() const override { return true; }

 private:
  const config::v1::OutputsConfig config_;
  const uint32_t mine_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_ =
      platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  Metrics metrics_;
  platform::ServedPartitions<Served> here_{2};
  platform::Forwarder forwarder_;
  std::shared_ptr<PartitionStack> stack_;
  OutputsServiceImpl service_;
};

// Servers of this process, beside an Inputs that is a table.
class ServersSubject : public ServiceSubject {
 public:
  ServersSubject() {
    options_.name = "outputs-exam";
    options_.create_mac_keys = true;
    options_.config.mutable_server()->set_listen("127.0.0.1:0");
    options_.config.mutable_server()->set_metrics_listen("none");
    options_.config.mutable_server()->set_mac_key_file(directory_.File("mac.keys"));
    options_.config.mutable_outputs()->set_max_result_bytes(4 << 20);
    options_.config.mutable_outputs()->set_max_awaits_per_stream(20'000);
    options_.config.mutable_outputs()->set_max_bytes(uint64_t{1} << 40);
    options_.authenticator = std::make_shared<test::PlainUser>();
  }

  std::shared_ptr<grpc::Channel> channel() override { return program_->environment().Connect(""); }
  const platform::MacKeys& keys() override { return program_->environment().mac_keys(); }
  void Stop() override { program_->Stop(); }

  void SetMaxBytes(uint64_t bytes) override {
    options_.config.mutable_outputs()->set_max_bytes(bytes);
  }
  void SetTask(const std::string& id, task::v1::TaskState state) override {
    table_.SetTask(id, state);
  }
  void DamageTask(const std::string& id) override { table_.DamageTask(id); }
  void SetInputsThere(bool there) override { table_.SetThere(there); }
  void AwaitQuestions(int count) override { KANTOKU_CHECK(table_.AwaitQuestions(count)); }

 protected:
  // A server with the table and a module.
  template <typename MakeModule>
  std::unique_ptr<platform::Program> StartServer(const std::string& name, MakeModule make) {
    options_.config.mutable_server()->set_data_dir(directory_.File(name));
    std::vector<platform::ModuleMaker> modules;
    modules.emplace_back(
        [this](platform::Environment&) -> absl::StatusOr<std::unique_ptr<platform::Module>> {
          return std::make_unique<TableModule>(table_);
        });
    modules.emplace_back(std::move(make));
    auto program = platform::Program::Start(options_, std::move(modules));
    KANTOKU_CHECK(program.ok());
    return *std::move(program);
  }

  platform::ProgramOptions options_;
  std::unique_ptr<platform::Program> program_;  // That the exam calls.

 private:
  test::TempDir directory_;
  TableOfTasks table_;
};

// The module behind a server of this process.
class ModuleSubject final : public ServersSubject {
 public:
  explicit ModuleSubject(test::ServiceStore store) : store_(std::move(store)) {
    *options_.config.mutable_outputs()->mutable_store() = store_.config;
    Start();
  }
  ~ModuleSubject() override { program_.reset(); }

  void Start() override {
    program_.reset();
    program_ = StartServer("data", [this](platform::Environment& environment) {
      return MakeOutputsModule(options_.config.outputs(), environment);
    });
  }

 private:
  const test::ServiceStore store_;
};

// Two servers that have half of it each: the exam calls one, which forwards what is the other's.
class HalvesSubject final : public ServersSubject {
 public:
  HalvesSubject() { Start(); }
  ~HalvesSubject() override { program_.reset(); }

  void Stop() override {
    ServersSubject::Stop();
    far_->Stop();
  }
  void Start() override {
    program_.reset();
    far_.reset();
    far_ = StartHalf("far", far_map_);
    program_ = StartHalf("near", near_map_);
    near_map_.SetOther(far_->address());
    far_map_.SetOther(program_->address());
  }

 private:
  std::unique_ptr<platform::Program> StartHalf(const std::string& name, const test::HalfMap& map) {
    return StartServer(name,
                       [this, &map](platform::Environment& environment)
                           -> absl::StatusOr<std::unique_ptr<platform::Module>> {
                         return std::make_unique<HalfModule>(options_.config.outputs(), map,
                                                             environment);
                       });
  }

  test::HalfMap near_map_{0};
  test::HalfMap far_map_{1};
  std::unique_ptr<platform::Program> far_;
};

// Two replicas on one database: the first has the only partition, so that whatever the second is
// asked it has answered there.
class ReplicasSubject final : public ServersSubject {
 public:
  ReplicasSubject() {
    *options_.config.mutable_outputs()->mutable_store() = test::StoreOnPostgres();
    options_.config.mutable_server()->set_advertise("127.0.0.1:0");
    Start();
  }
  ~ReplicasSubject() override { program_.reset(); }

  void Stop() override {
    ServersSubject::Stop();
    owner_->Stop();
  }
  void Start() override {
    program_.reset();
    owner_.reset();
    owner_ = StartReplica("owner");
    program_ = StartReplica("other");
  }

 private:
  std::unique_ptr<platform::Program> StartReplica(const std::string& name) {
    return StartServer(name, [this](platform::Environment& environment) {
      return MakeOutputsModule(options_.config.outputs(), environment);
    });
  }

  std::unique_ptr<platform::Program> owner_;
};

}  // namespace

std::vector<ServiceEntry> AllServices() {
  return test::EntriesOf<ServiceEntry, ModuleSubject>(
      {{"memory-halves", false, [] { return std::make_unique<HalvesSubject>(); }},
       {"postgres-replicas", true, [] { return std::make_unique<ReplicasSubject>(); }}});
}

}  // namespace kantoku::outputs
