#include "services/outputs/module.h"

#include <atomic>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/partition_stack.h"
#include "services/outputs/service.h"
#include "services/outputs/store.h"
#include "services/platform/blocks/fellow_blocks.h"
#include "services/platform/log/log.h"
#include "services/platform/replicas/served_partitions.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/status.h"
#include "services/platform/stores/partition_share.h"
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

class OutputsModule final : public platform::Module, private platform::PartitionHost {
 public:
  OutputsModule(const config::v1::OutputsConfig& config, platform::Environment& environment)
      : config_(config),
        environment_(environment),
        stores_(platform::MakeStoreFactory(config_.store(), OutputsSchema(), environment)),
        metrics_(environment.metrics()),
        fellows_(environment.blocks(), Connector(), environment.clock(), environment.mac_keys()),
        forwarder_(Connector(), environment.mac_keys(), environment.clock()) {}
  ~OutputsModule() override { Stop(); }

  // Opens what is ours whatever others do.
  absl::Status Open() {
    KANTOKU_ASSIGN_OR_RETURN(
        share_, platform::PartitionShare::Make(config_.store(), OutputsSchema(),
                                               platform::Division::kBySlot, *this, environment_,
                                               [this](const auto& others) {
                                                 forwarder_.SetOthers(others);
                                                 fellows_.SetOthers(others);
                                               }));
    stacks_.emplace(share_->map().count());
    here_.emplace(share_->map().count());
    service_.emplace(OutputsServiceImpl::Options{.max_result_bytes = config_.max_result_bytes()},
                     OutputsServiceImpl::Routes{share_->map(), *here_, &forwarder_},
                     environment_.mac_keys(), environment_.clock(), environment_.calls(), metrics_);
    return share_->Open();
  }

  std::string_view name() const override { return "outputs"; }
  std::vector<grpc::Service*> services() override { return {&*service_}; }

  absl::Status Start() override {
    for (const auto& stack : stacks_->All()) Serve(stack);
    started_ = true;
    return share_->Start();
  }
  // Results are taken on: executors that finish have them to put.
  void Drain(absl::Duration) override {
    service_->EndStreams();
    (void)share_->Drain();
    forwarder_.Drain();
  }
  void Stop() override {
    if (service_.has_value()) service_->AbortStreams();
    forwarder_.Stop();
    if (share_ != nullptr) share_->Stop();
    fellows_.Stop();
  }

  bool healthy() const override { return share_->health().ok(); }

 private:
  platform::Forwarder::Connect Connector() {
    return [this](const std::string& address) { return environment_.Connect(address); };
  }
  void Serve(const std::shared_ptr<PartitionStack>& stack) {
    here_->Put(stack->number(), PartitionStack::ServedOf(stack));
  }

  // PartitionHost.
  absl::Status Open(uint32_t number) override {
    OutputsPartition::Options options;
    options.book.max_bytes = config_.max_bytes();
    options.awaits.per_stream = config_.max_awaits_per_stream();
    options.awaited = awaited_;
    options.runner.name = absl::StrCat("outputs/", number);
    options.runner.on_health = LogHealth;
    options.random = [this] { return environment_.Random(); };
    KANTOKU_ASSIGN_OR_RETURN(auto stack, PartitionStack::Open(number, std::move(options), *stores_,
                                                              config_, environment_, metrics_));
    if (started_) Serve(stack);
    stacks_->Put(number, std::move(stack));
    return absl::OkStatus();
  }
  void Close(uint32_t number) override {
    here_->Take(number);
    if (const auto stack = stacks_->Take(number)) stack->Stop();
  }
  absl::Status health(uint32_t number) const override {
    const auto stack = stacks_->Find(number);
    return stack == nullptr ? absl::UnavailableError("it is not open")
                            : stack->partition().health();
  }

  // In this order: the used before their users.
  const config::v1::OutputsConfig config_;
  platform::Environment& environment_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  Metrics metrics_;
  const std::shared_ptr<AwaitCount> awaited_ = std::make_shared<AwaitCount>();
  platform::FellowBlocks fellows_;
  platform::Forwarder forwarder_;
  std::optional<platform::ServedPartitions<PartitionStack>> stacks_;
  std::optional<platform::ServedPartitions<Served>> here_;  // From Start on.
  std::unique_ptr<platform::PartitionShare> share_;
  std::optional<OutputsServiceImpl> service_;
  std::atomic<bool> started_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeOutputsModule(
    const config::v1::OutputsConfig& config, platform::Environment& environment) {
  auto module = std::make_unique<OutputsModule>(config, environment);
  KANTOKU_RETURN_IF_ERROR(module->Open());
  return module;
}

}  // namespace kantoku::outputs
