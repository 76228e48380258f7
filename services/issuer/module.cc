#include "services/issuer/module.h"

#include <string>
#include <utility>
#include <vector>

#include "services/issuer/grant_machine.h"
#include "services/issuer/service.h"
#include "services/issuer/store.h"
#include "services/issuer/token_desk.h"
#include "services/issuer/web.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/status.h"
#include "services/platform/stores/stores.h"

namespace kantoku::issuer {
namespace {

class IssuerModule final : public platform::Module {
 public:
  IssuerModule(std::shared_ptr<Issuer> issuer, platform::Environment& environment,
               std::unique_ptr<platform::RecordStoreFactory> stores,
               std::unique_ptr<platform::RecordStore> store)
      : environment_(environment),
        issuer_(std::move(issuer)),
        stores_(std::move(stores)),
        store_(std::move(store)),
        machine_({.random = [this] { return environment_.Random(); },
                  .on_revoked = [this](GrantId grant) { issuer_->Refuse(grant); }}) {}
  ~IssuerModule() override { Stop(); }

  absl::Status Open() {
    KANTOKU_RETURN_IF_ERROR(machine_.Recover(*store_));
    platform::PartitionRunner::Options options;
    options.name = "issuer/0";
    KANTOKU_ASSIGN_OR_RETURN(runner_,
                             platform::PartitionRunner::Start(std::move(options), *store_, machine_,
                                                              environment_.clock()));
    desk_ = std::make_unique<TokenDesk>(TokenDesk::Parts{.runner = *runner_,
                                                         .machine = machine_,
                                                         .issuer = *issuer_,
                                                         .clock = environment_.clock(),
                                                         .audit = environment_.audit()});
    service_ = std::make_unique<Service>(Service::Parts{.runner = *runner_,
                                                        .machine = machine_,
                                                        .issuer = *issuer_,
                                                        .desk = *desk_,
                                                        .clock = environment_.clock(),
                                                        .calls = environment_.calls(),
                                                        .audit = environment_.audit()});
    return absl::OkStatus();
  }

  std::string_view name() const override { return "issuer"; }
  std::vector<grpc::Service*> services() override { return {service_.get()}; }

  std::vector<platform::HttpRoute> http_routes() override {
    return MakeIssuerRoutes(*issuer_, *desk_);
  }

  absl::Status Start() override {
    service_->Open();
    return absl::OkStatus();
  }
  // Executors that finish may need a newer token.
  void Drain(absl::Duration) override {}
  void Stop() override {
    if (runner_ != nullptr) runner_->Stop();
  }
  bool healthy() const override { return runner_->health().ok(); }

 private:
  // In this order: the used before their users.
  platform::Environment& environment_;
  const std::shared_ptr<Issuer> issuer_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  const std::unique_ptr<platform::RecordStore> store_;
  GrantMachine machine_;
  std::unique_ptr<platform::PartitionRunner> runner_;
  std::unique_ptr<TokenDesk> desk_;
  std::unique_ptr<Service> service_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeIssuerModule(
    std::shared_ptr<Issuer> issuer, platform::Environment& environment) {
  config::v1::StoreConfig config;
  config.mutable_sqlite();
  auto stores = platform::MakeStoreFactory(config, IssuerSchema(), environment);
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores->Open(0));
  auto module = std::make_unique<IssuerModule>(std::move(issuer), environment, std::move(stores),
                                               std::move(store));
  KANTOKU_RETURN_IF_ERROR(module->Open());
  return module;
}

}  // namespace kantoku::issuer
