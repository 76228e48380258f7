#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/events/module.h"
#include "services/inputs/module.h"
#include "services/outputs/module.h"
#include "services/platform/check.h"
#include "services/platform/config/defaults.h"
#include "services/platform/server/program.h"
#include "tests/conformance/inputs_exam/inputs_service_exam.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/postgres_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::inputs {
namespace {

// Servers of this process, each with the three modules; the exam calls the last of them.
class ServersSubject : public ServiceSubject {
 public:
  explicit ServersSubject(test::ServiceStore store) : store_(std::move(store)) {
    options_.name = "inputs-exam";
    options_.create_mac_keys = true;
    config::v1::Config& config = options_.config;
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_metrics_listen("none");
    config.mutable_server()->set_mac_key_file(directory_.File("mac.keys"));
    config.mutable_server()->mutable_drain_timeout()->set_seconds(1);
    *config.mutable_inputs()->mutable_store() = store_.config;
    *config.mutable_outputs()->mutable_store() = store_.config;
    *config.mutable_events()->mutable_store() = store_.config;
    config.mutable_inputs()->set_max_payload_bytes(kMaxPayload);
    config.mutable_inputs()->set_max_session_credit(kMaxCredit);
  }

  std::shared_ptr<grpc::Channel> channel() override { return called().Connect(""); }
  const platform::MacKeys& keys() override { return called().mac_keys(); }

  void Restart() override {
    const size_t servers = programs_.size();
    while (!programs_.empty()) {  // Who calls before who is called.
      programs_.back()->Stop();
      programs_.pop_back();
    }
    for (size_t i = 0; i < servers; ++i) Start();
  }

 protected:
  config::v1::Config& config() { return options_.config; }
  void Start() {
    config().mutable_server()->set_data_dir(
        directory_.File(absl::StrCat("data-", programs_.size())));
    platform::FillDefaults(config());
    std::vector<platform::ModuleMaker> modules;
    modules.emplace_back([this](platform::Environment& environment) {
      return events::MakeEventsModule(options_.config.events(), environment);
    });
    modules.emplace_back([this](platform::Environment& environment) {
      return outputs::MakeOutputsModule(options_.config.outputs(), environment);
    });
    modules.emplace_back([this](platform::Environment& environment) {
      return MakeInputsModule(options_.config.inputs(), environment);
    });
    auto program = platform::Program::Start(options_, std::move(modules));
    KANTOKU_CHECK(program.ok());
    programs_.push_back(*std::move(program));
  }

 private:
  platform::Environment& called() { return programs_.back()->environment(); }

  const test::ServiceStore store_;  // Outlives who uses it.
  test::TempDir directory_;
  platform::ProgramOptions options_;
  std::vector<std::unique_ptr<platform::Program>> programs_;
};

class ModuleSubject final : public ServersSubject {
 public:
  explicit ModuleSubject(test::ServiceStore store) : ServersSubject(std::move(store)) { Start(); }
};

// Two replicas on one database: the first has the only partition of each service, so that whatever
// the second is asked it has answered there.
class ReplicasSubject final : public ServersSubject {
 public:
  ReplicasSubject() : ServersSubject({.config = test::StoreOnPostgres(), .program = nullptr}) {
    config().mutable_server()->set_advertise("127.0.0.1:0");
    Start();
    Start();
  }
};

}  // namespace

std::vector<ServiceEntry> AllServices() {
  return test::EntriesOf<ServiceEntry, ModuleSubject>(
      {{"postgres-replicas", true, [] { return std::make_unique<ReplicasSubject>(); }}});
}

}  // namespace kantoku::inputs
