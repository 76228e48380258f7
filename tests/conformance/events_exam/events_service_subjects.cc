#include <utility>

#include "kantoku/config/v1/config.pb.h"
#include "services/events/module.h"
#include "services/platform/check.h"
#include "services/platform/server/program.h"
#include "tests/conformance/events_exam/events_service_exam.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/plain_user.h"
#include "tests/support/temp_dir.h"

namespace kantoku::events {
namespace {

// The module behind a server of this process.
class ModuleSubject final : public ServiceSubject {
 public:
  explicit ModuleSubject(test::ServiceStore store) : store_(std::move(store)) {
    options_.name = "events-exam";
    options_.create_mac_keys = true;
    options_.authenticator = std::make_shared<test::PlainUser>();
    options_.config.mutable_server()->set_listen("127.0.0.1:0");
    options_.config.mutable_server()->set_metrics_listen("none");
    options_.config.mutable_server()->set_data_dir(directory_.File("data"));
    *options_.config.mutable_events()->mutable_store() = store_.config;
    options_.config.mutable_events()->mutable_retention()->set_seconds(3600);
    options_.config.mutable_events()->set_max_bytes(4 << 20);
    Start();
  }

  std::shared_ptr<grpc::Channel> channel() override { return program_->environment().Connect(""); }
  const platform::MacKeys& keys() override { return program_->environment().mac_keys(); }

  void Stop() override { program_->Stop(); }
  void Start() override {
    program_.reset();
    std::vector<platform::ModuleMaker> modules;
    modules.emplace_back([this](platform::Environment& environment) {
      return MakeEventsModule(options_.config.events(), environment);
    });
    auto program = platform::Program::Start(options_, std::move(modules));
    KANTOKU_CHECK(program.ok());
    program_ = *std::move(program);
  }

 private:
  const test::ServiceStore store_;  // Outlives who uses it.
  test::TempDir directory_;
  platform::ProgramOptions options_;
  std::unique_ptr<platform::Program> program_;
};

}  // namespace

std::vector<ServiceEntry> AllServices() { return test::EntriesOf<ServiceEntry, ModuleSubject>(); }

}  // namespace kantoku::events
