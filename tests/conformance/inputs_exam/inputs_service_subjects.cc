#include <utility>

#include "kantoku/config/v1/config.pb.h"
#include "services/events/module.h"
#include "services/inputs/module.h"
#include "services/outputs/module.h"
#include "services/platform/check.h"
#include "services/platform/config/defaults.h"
#include "services/platform/server/program.h"
#include "tests/conformance/inputs_exam/inputs_service_exam.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/temp_dir.h"

namespace kantoku::inputs {
namespace {

// The three modules behind a server of this process.
class ModuleSubject final : public ServiceSubject {
 public:
  explicit ModuleSubject(test::ServiceStore store) : store_(std::move(store)) {
    options_.name = "inputs-exam";
    options_.create_mac_keys = true;
    config::v1::Config& config = options_.config;
    config.mutable_server()->set_listen("127.0.0.1:0");
    config.mutable_server()->set_metrics_listen("none");
    config.mutable_server()->set_data_dir(directory_.File("data"));
    config.mutable_server()->mutable_drain_timeout()->set_seconds(1);
    *config.mutable_inputs()->mutable_store() = store_.config;
    *config.mutable_outputs()->mutable_store() = store_.config;
    *config.mutable_events()->mutable_store() = store_.config;
    config.mutable_inputs()->set_max_payload_bytes(kMaxPayload);
    config.mutable_inputs()->set_max_session_credit(kMaxCredit);
    platform::FillDefaults(config);
    Start();
  }

  std::shared_ptr<grpc::Channel> channel() override { return program_->environment().Connect(""); }
  const platform::MacKeys& keys() override { return program_->environment().mac_keys(); }

  void Restart() override {
    program_->Stop();
    program_.reset();
    Start();
  }

 private:
  void Start() {
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
    program_ = *std::move(program);
  }

  const test::ServiceStore store_;  // Outlives who uses it.
  test::TempDir directory_;
  platform::ProgramOptions options_;
  std::unique_ptr<platform::Program> program_;
};

}  // namespace

std::vector<ServiceEntry> AllServices() { return test::EntriesOf<ServiceEntry, ModuleSubject>(); }

}  // namespace kantoku::inputs
