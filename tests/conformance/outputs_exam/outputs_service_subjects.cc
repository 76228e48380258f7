#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "kantoku/config/v1/config.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/outputs/module.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/service.h"
#include "services/platform/server/program.h"
#include "tests/conformance/outputs_exam/outputs_service_exam.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/plain_user.h"
#include "tests/support/temp_dir.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;

// What Outputs asks of Inputs, answered from a table.
class TableOfTasks {
 public:
  absl::Status Answer(const std::string& asker, const inputs::v1::GetTasksRequest& request,
                      inputs::v1::GetTasksResponse& response) {
    MutexLock lock(mutex_);
    KANTOKU_CHECK(asker == "outputs" && request.states_only());
    ++questions_;
    changed_.SignalAll();
    if (!there_) return absl::UnavailableError("away");
    KANTOKU_CHECK(request.asked_for_size() == request.task_ids_size());
    for (const uint32_t place : request.asked_for()) {
      const inputs::v1::Onlooker& local = request.onlookers(static_cast<int>(place));
      KANTOKU_CHECK(local.subject() == "local" && local.namespaces_size() == 1);
      KANTOKU_CHECK(local.namespaces(0) == "*" && !local.administrator());
    }
    for (const std::string& id : request.task_ids()) {
      inputs::v1::GetTaskResult& result = *response.add_results();
      if (damaged_.contains(id)) {
        result.mutable_status()->set_code(static_cast<int>(grpc::StatusCode::DATA_LOSS));
      } else if (const auto state = states_.find(id); state != states_.end()) {
        result.mutable_info()->set_state(state->second);
      } else {
        result.mutable_status()->set_code(static_cast<int>(grpc::StatusCode::NOT_FOUND));
      }
    }
    return absl::OkStatus();
  }

  void SetTask(const std::string& id, task::v1::TaskState state) {
    MutexLock lock(mutex_);
    states_[id] = state;
  }
  void DamageTask(const std::string& id) {
    MutexLock lock(mutex_);
    damaged_.insert(id);
  }
  void SetThere(bool there) {
    MutexLock lock(mutex_);
    there_ = there;
  }
  void AwaitQuestions(int count) {
    MutexLock lock(mutex_);
    while (questions_ < count) changed_.Wait(mutex_);
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::map<std::string, task::v1::TaskState> states_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> damaged_ ABSL_GUARDED_BY(mutex_);
  bool there_ ABSL_GUARDED_BY(mutex_) = true;
  int questions_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Lends the table to a program.
// Shows the table as Inputs.
class TableService final : public platform::Service {
 public:
  explicit TableService(TableOfTasks& table)
      : Service(inputs::v1::InputsService::service_full_name()), table_(table) {
    Handle("GetTasks", &TableService::GetTasks);
  }

  void GetTasks(platform::UnaryCall* call, const inputs::v1::GetTasksRequest* request,
                inputs::v1::GetTasksResponse* response) {
    call->Finish(table_.Answer((*call->identity())->service, *request, *response));
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

// The module behind a server of this process.
class ModuleSubject final : public ServiceSubject {
 public:
  explicit ModuleSubject(test::ServiceStore store) : store_(std::move(store)) {
    options_.name = "outputs-exam";
    options_.create_mac_keys = true;
    options_.config.mutable_server()->set_listen("127.0.0.1:0");
    options_.config.mutable_server()->set_metrics_listen("none");
    options_.config.mutable_server()->set_data_dir(directory_.File("data"));
    *options_.config.mutable_outputs()->mutable_store() = store_.config;
    options_.config.mutable_outputs()->set_max_result_bytes(4 << 20);
    options_.config.mutable_outputs()->set_max_awaits_per_stream(20'000);
    options_.config.mutable_outputs()->set_max_bytes(uint64_t{1} << 40);
    options_.authenticator = std::make_shared<test::PlainUser>();
    Start();
  }

  std::shared_ptr<grpc::Channel> channel() override { return program_->environment().Connect(""); }
  const platform::MacKeys& keys() override { return program_->environment().mac_keys(); }

  void Stop() override { program_->Stop(); }
  void Start() override {
    program_.reset();
    std::vector<platform::ModuleMaker> modules;
    modules.emplace_back(
        [this](platform::Environment&) -> absl::StatusOr<std::unique_ptr<platform::Module>> {
          return std::make_unique<TableModule>(table_);
        });
    modules.emplace_back([this](platform::Environment& environment) {
      return MakeOutputsModule(options_.config.outputs(), environment);
    });
    auto program = platform::Program::Start(options_, std::move(modules));
    KANTOKU_CHECK(program.ok());
    program_ = *std::move(program);
  }

  void SetMaxBytes(uint64_t bytes) override {
    options_.config.mutable_outputs()->set_max_bytes(bytes);
  }

  void SetTask(const std::string& id, task::v1::TaskState state) override {
    table_.SetTask(id, state);
  }
  void DamageTask(const std::string& id) override { table_.DamageTask(id); }
  void SetInputsThere(bool there) override { table_.SetThere(there); }
  void AwaitQuestions(int count) override { table_.AwaitQuestions(count); }

 private:
  const test::ServiceStore store_;  // Outlives who uses it.
  test::TempDir directory_;
  TableOfTasks table_;
  platform::ProgramOptions options_;
  std::unique_ptr<platform::Program> program_;
};

}  // namespace

std::vector<ServiceEntry> AllServices() { return test::EntriesOf<ServiceEntry, ModuleSubject>(); }

}  // namespace kantoku::outputs
