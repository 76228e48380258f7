#include "services/outputs/module.h"

#include <string>
#include <utility>
#include <vector>

#include "services/outputs/inputs_client.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/service.h"
#include "services/outputs/store.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"
#include "services/platform/stores/stores.h"

namespace kantoku::outputs {
namespace {

void LogHealth(const absl::Status& health) {
  if (health.ok()) {
    platform::Log(platform::LogLevel::kInfo, "outputs: the store takes commits again");
  } else {
    platform::Log(platform::LogLevel::kError, "outputs: the store takes no commits",
                  {{"why", health}});
  }
}

class OutputsModule final : public platform::Module {
 public:
  OutputsModule(const config::v1::OutputsConfig& config, platform::Environment& environment,
                std::unique_ptr<platform::RecordStoreFactory> stores,
                std::unique_ptr<platform::RecordStore> store)
      : config_(config),
        environment_(environment),
        stores_(std::move(stores)),
        store_(std::move(store)),
        metrics_(environment.metrics()),
        inputs_([this] { return environment_.Connect(config_.inputs_address()); },
                environment.mac_keys(), environment.clock()),
        service_({.max_result_bytes = config.max_result_bytes()}, environment.mac_keys(),
                 environment.clock(), environment.calls(), metrics_) {}
  ~OutputsModule() override { Stop(); }

  absl::Status Open() {
    OutputsPartition::Options options;
    options.book.max_bytes = config_.max_bytes();
    options.awaits.per_stream = config_.max_awaits_per_stream();
    options.runner.name = "outputs/0";
    options.runner.on_health = LogHealth;
    options.random = [this] { return environment_.Random(); };
    KANTOKU_ASSIGN_OR_RETURN(
        partition_, OutputsPartition::Start(std::move(options), *store_, environment_.clock(),
                                            inputs_, metrics_));
    return absl::OkStatus();
  }

  std::string_view name() const override { return "outputs"; }
  std::vector<grpc::Service*> services() override { return {&service_}; }

  absl::Status Start() override {
    service_.Open(*partition_);
    return absl::OkStatus();
  }
  // Results are taken on: executors that finish have them to put.
  void Drain(absl::Duration) override { service_.EndStreams(); }
  void Stop() override {
    service_.AbortStreams();
    if (partition_ != nullptr) partition_->Stop();
    inputs_.Stop();
  }

  bool healthy() const override { return partition_->health().ok(); }

 private:
  // In this order: the used before their users.
  const config::v1::OutputsConfig config_;
  platform::Environment& environment_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  const std::unique_ptr<platform::RecordStore> store_;
  Metrics metrics_;
  std::unique_ptr<OutputsPartition> partition_;
  // Calls back into the partition until it is stopped.
  InputsClient inputs_;
  OutputsServiceImpl service_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeOutputsModule(
    const config::v1::OutputsConfig& config, platform::Environment& environment) {
  auto stores = platform::MakeStoreFactory(config.store(), OutputsSchema(), environment);
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores->Open(0));
  auto module =
      std::make_unique<OutputsModule>(config, environment, std::move(stores), std::move(store));
  KANTOKU_RETURN_IF_ERROR(module->Open());
  return module;
}

}  // namespace kantoku::outputs
