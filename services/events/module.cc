#include "services/events/module.h"

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/events/log_records.h"
#include "services/events/log_stack.h"
#include "services/events/metrics.h"
#include "services/events/service.h"
#include "services/platform/blocks/fellow_blocks.h"
#include "services/platform/proto_time.h"
#include "services/platform/replicas/served_partitions.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/status.h"
#include "services/platform/stores/partition_share.h"
#include "services/platform/stores/stores.h"

namespace kantoku::events {
namespace {

class EventsModule final : public platform::Module, private platform::PartitionHost {
 public:
  EventsModule(const config::v1::EventsConfig& config, platform::Environment& environment)
      : config_(config),
        environment_(environment),
        stores_(platform::MakeStoreFactory(config_.store(), EventsSchema(), environment)),
        metrics_(environment.metrics()),
        fellows_(environment.blocks(), Connector(), environment.clock(), environment.mac_keys()),
        forwarder_(Connector(), environment.mac_keys(), environment.clock()) {}
  ~EventsModule() override { Stop(); }

  // Opens the log, if it is ours whatever others do.
  absl::Status Open() {
    KANTOKU_ASSIGN_OR_RETURN(share_, platform::PartitionShare::Make(
                                         config_.store(), EventsSchema(), platform::Division::kNone,
                                         *this, environment_, [this](const auto& others) {
                                           forwarder_.SetOthers(others);
                                           fellows_.SetOthers(others);
                                         }));
    service_.emplace(Service::Routes{share_->map(), here_, &forwarder_}, environment_.calls(),
                     metrics_);
    return share_->Open();
  }

  std::string_view name() const override { return "events"; }
  std::vector<grpc::Service*> services() override { return {&*service_}; }

  absl::Status Start() override {
    for (const auto& stack : stacks_.All()) here_.Put(0, LogStack::ServedOf(stack));
    started_ = true;
    return share_->Start();
  }
  // Appends go on: services that stop have more to say.
  void Drain(absl::Duration) override {
    for (const auto& stack : stacks_.All()) stack->hub().Drain();
    (void)share_->Drain();
    forwarder_.Drain();
  }
  void Stop() override {
    forwarder_.Stop();
    if (share_ != nullptr) share_->Stop();
    fellows_.Stop();
  }

  bool healthy() const override { return share_->health().ok(); }

 private:
  platform::Forwarder::Connect Connector() {
    return [this](const std::string& address) { return environment_.Connect(address); };
  }
  // PartitionHost.
  absl::Status Open(uint32_t number) override {
    RecordEventLogOptions options;
    options.retention = {.age = platform::FromProto(config_.retention()),
                         .max_bytes = config_.max_bytes()};
    options.new_id = static_cast<uint32_t>(environment_.Random());
    KANTOKU_ASSIGN_OR_RETURN(auto stack,
                             LogStack::Open(options, *stores_, environment_.clock(), metrics_));
    if (started_) here_.Put(number, LogStack::ServedOf(stack));
    stacks_.Put(number, std::move(stack));
    return absl::OkStatus();
  }
  void Close(uint32_t number) override {
    here_.Take(number);
    if (const auto stack = stacks_.Take(number)) stack->Stop();
  }
  absl::Status health(uint32_t number) const override {
    const auto stack = stacks_.Find(number);
    return stack == nullptr ? absl::UnavailableError("it is not open") : stack->log().health();
  }

  // In this order: the used before their users.
  const config::v1::EventsConfig config_;
  platform::Environment& environment_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  Metrics metrics_;
  platform::FellowBlocks fellows_;
  platform::Forwarder forwarder_;
  platform::ServedPartitions<LogStack> stacks_{1};
  platform::ServedPartitions<Served> here_{1};  // From Start on.
  std::unique_ptr<platform::PartitionShare> share_;
  std::optional<Service> service_;
  std::atomic<bool> started_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeEventsModule(
    const config::v1::EventsConfig& config, platform::Environment& environment) {
  auto module = std::make_unique<EventsModule>(config, environment);
  KANTOKU_RETURN_IF_ERROR(module->Open());
  return module;
}

}  // namespace kantoku::events
