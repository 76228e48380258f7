#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/events/module.h"
#include "services/platform/check.h"
#include "services/platform/server/program.h"
#include "tests/conformance/events_exam/events_service_exam.h"
#include "tests/conformance/service_backends.h"
#include "tests/support/plain_user.h"
#include "tests/support/postgres_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::events {
namespace {

// Servers of this process; the exam calls the last of them.
class ServersSubject : public ServiceSubject {
 public:
  explicit ServersSubject(test::ServiceStore store) : store_(std::move(store)) {
    options_.name = "events-exam";
    options_.create_mac_keys = true;
    options_.authenticator = std::make_shared<test::PlainUser>();
    config().mutable_server()->set_listen("127.0.0.1:0");
    config().mutable_server()->set_metrics_listen("none");
    config().mutable_server()->set_mac_key_file(directory_.File("mac.keys"));
    *config().mutable_events()->mutable_store() = store_.config;
    config().mutable_events()->mutable_retention()->set_seconds(3600);
    config().mutable_events()->set_max_bytes(4 << 20);
  }

  std::shared_ptr<grpc::Channel> channel() override { return called().Connect(""); }
  const platform::MacKeys& keys() override { return called().mac_keys(); }

  void Stop() override {
    // Who calls before who is called.
    for (auto program = programs_.rbegin(); program != programs_.rend(); ++program) {
      (*program)->Stop();
    }
  }
  void Start() override {
    const size_t servers = programs_.size();
    while (!programs_.empty()) programs_.pop_back();
    for (size_t i = 0; i < servers; ++i) StartServer();
  }

 protected:
  config::v1::Config& config() { return options_.config; }
  void StartServer() {
    config().mutable_server()->set_data_dir(
        directory_.File(absl::StrCat("data-", programs_.size())));
    std::vector<platform::ModuleMaker> modules;
    modules.emplace_back([this](platform::Environment& environment) {
      return MakeEventsModule(options_.config.events(), environment);
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
  explicit ModuleSubject(test::ServiceStore store) : ServersSubject(std::move(store)) {
    StartServer();
  }
};

// Two replicas on one database: the first has the log, so that whatever the second is asked it has
// answered there.
class ReplicasSubject final : public ServersSubject {
 public:
  ReplicasSubject() : ServersSubject({.config = test::StoreOnPostgres(), .program = nullptr}) {
    config().mutable_server()->set_advertise("127.0.0.1:0");
    StartServer();
    StartServer();
  }
};

}  // namespace

std::vector<ServiceEntry> AllServices() {
  return test::EntriesOf<ServiceEntry, ModuleSubject>(
      {{"postgres-replicas", true, [] { return std::make_unique<ReplicasSubject>(); }}});
}

}  // namespace kantoku::events
