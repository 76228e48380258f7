#include "services/inputs/module.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/inputs/blocks_peer.h"
#include "services/inputs/metrics.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/peers.h"
#include "services/inputs/pull_stream.h"
#include "services/inputs/service.h"
#include "services/inputs/store.h"
#include "services/platform/log/log.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/stores/stores.h"

namespace kantoku::inputs {
namespace {

using platform::FromProto;

void LogHealth(const absl::Status& health) {
  if (health.ok()) {
    platform::Log(platform::LogLevel::kInfo, "inputs: the store takes commits again");
  } else {
    platform::Log(platform::LogLevel::kError, "inputs: the store takes no commits",
                  {{"why", health}});
  }
}

// 0 means no bound.
Quota ToQuota(const std::string& name_space, const std::string& type, uint64_t tasks,
              uint64_t bytes) {
  return {.name_space = name_space,
          .type = type,
          .max_tasks = tasks == 0 ? UINT64_MAX : tasks,
          .max_bytes = bytes == 0 ? UINT64_MAX : bytes};
}

std::vector<Quota> QuotasOf(const config::v1::InputsConfig& config) {
  std::vector<Quota> quotas;
  for (const config::v1::NamespaceConfig& each : config.namespaces()) {
    const bool bounded = each.max_pending_tasks() > 0 || each.max_pending_bytes() > 0;
    if (bounded || !each.types().empty()) {
      quotas.push_back(
          ToQuota(each.name(), "", each.max_pending_tasks(), each.max_pending_bytes()));
    }
    for (const config::v1::TypeLimitConfig& type : each.types()) {
      quotas.push_back(
          ToQuota(each.name(), type.type(), type.max_pending_tasks(), type.max_pending_bytes()));
    }
  }
  return quotas;
}

PartitionOptions ToPartitionOptions(const config::v1::InputsConfig& config, uint64_t seed) {
  PartitionOptions options;
  options.engine.max_pending = config.max_pending_tasks();
  options.engine.quotas = QuotasOf(config);
  options.engine.max_types = config.max_task_types();
  options.engine.max_selectors = config.max_selectors();
  options.engine.max_dependencies = config.max_dependencies();
  options.engine.max_keys = config.max_keys();
  options.engine.max_info_bytes = config.max_info_bytes();
  options.engine.max_session_credit = config.max_session_credit();
  options.engine.grace = FromProto(config.grace());
  options.engine.start_timeout = FromProto(config.start_timeout());
  options.engine.cancel_timeout = FromProto(config.cancel_timeout());
  options.engine.history = FromProto(config.history());
  options.engine.max_history = config.max_history_tasks();
  options.engine.dead_retention = FromProto(config.dead_retention());
  options.engine.max_dead_bytes = config.max_dead_bytes();
  options.engine.seed = seed;
  options.payload_cache_bytes = config.payload_cache_bytes();
  options.events = config.events();
  options.max_event_backlog_bytes = config.max_event_backlog_bytes();
  options.ping_interval = FromProto(config.ping_interval());
  options.on_health = LogHealth;
  return options;
}

std::set<std::string> NamesOf(
    const google::protobuf::RepeatedPtrField<config::v1::NamespaceConfig>& namespaces) {
  std::set<std::string> names;
  for (const config::v1::NamespaceConfig& each : namespaces) names.insert(each.name());
  return names;
}

// Who hears of blocks: this program at once, others over gRPC. Does not change while the partition
// runs.
struct ToldOfBlocks {
  platform::BlockBook& book;
  std::vector<std::unique_ptr<BlocksPeer>> peers;

  void Tell(const platform::KnownBlocks& blocks) const {
    book.Replace(blocks);
    for (const auto& peer : peers) peer->Tell(blocks);
  }
};

class InputsModule final : public platform::Module {
 public:
  InputsModule(const config::v1::InputsConfig& config, platform::Environment& environment,
               std::unique_ptr<platform::RecordStoreFactory> stores,
               std::shared_ptr<ToldOfBlocks> blocks, std::unique_ptr<Partition> partition)
      : config_(config),
        environment_(environment),
        blocks_(std::move(blocks)),
        stores_(std::move(stores)),
        partition_(std::move(partition)),
        streams_(environment.clock(), FromProto(config.ping_interval())),
        service_({.limits = {.max_payload_bytes = config.max_payload_bytes()},
                  .namespaces = NamesOf(config.namespaces())},
                 *partition_, streams_, environment.mac_keys(), environment.clock(),
                 environment.calls()) {}
  ~InputsModule() override { Stop(); }

  std::string_view name() const override { return "inputs"; }
  std::vector<grpc::Service*> services() override { return {&service_}; }

  absl::Status Start() override {
    outputs_ =
        std::make_unique<OutputsPeer>(environment_.Connect(config_.outputs_address()),
                                      environment_.clock(), environment_.mac_keys(), *partition_);
    if (config_.events()) {
      events_ = std::make_unique<EventsPeer>(environment_.Connect(config_.events_address()),
                                             environment_.clock(), environment_.mac_keys(),
                                             *partition_, config_.max_event_backlog_bytes());
    }
    TellOthersOfBlocks();
    return partition_->Start(*outputs_, events_.get());
  }

  void Drain(absl::Duration within) override { partition_->Drain(within); }

  void Stop() override {
    streams_.Stop(
        platform::Error(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping"));
    partition_->Stop();
    if (outputs_ != nullptr) outputs_->Stop();
    if (events_ != nullptr) events_->Stop();
    for (const auto& peer : blocks_->peers) peer->Stop();
  }

  bool healthy() const override { return partition_->health().ok(); }

 private:
  void TellOthersOfBlocks() {
    std::set<std::string> addresses = {config_.outputs_address()};
    if (config_.events()) addresses.insert(config_.events_address());
    addresses.erase("");  // This program knows.
    const platform::KnownBlocks known = partition_->known_blocks();
    for (const std::string& address : addresses) {
      blocks_->peers.push_back(std::make_unique<BlocksPeer>(
          environment_.Connect(address), environment_.clock(), environment_.mac_keys()));
      blocks_->peers.back()->Tell(known);
    }
  }

  const config::v1::InputsConfig config_;
  platform::Environment& environment_;
  const std::shared_ptr<ToldOfBlocks> blocks_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  const std::unique_ptr<Partition> partition_;
  PullStreams streams_;
  InputsServiceImpl service_;
  std::unique_ptr<OutputsPeer> outputs_;
  std::unique_ptr<EventsPeer> events_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeInputsModule(
    const config::v1::InputsConfig& config, platform::Environment& environment) {
  auto stores = platform::MakeStoreFactory(config.store(), InputsSchema(), environment);
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores->Open(0));
  PartitionOptions options = ToPartitionOptions(config, environment.Random());
  options.on_waits = [metrics = std::make_shared<WaitMetrics>(environment.metrics())](
                         const WaitBook::TypeTotals& totals) { metrics->Tell(totals); };
  const auto blocks = std::make_shared<ToldOfBlocks>(ToldOfBlocks{environment.blocks(), {}});
  options.on_blocks = [blocks](const platform::KnownBlocks& known) { blocks->Tell(known); };
  KANTOKU_ASSIGN_OR_RETURN(
      auto partition,
      Partition::Open(std::move(options), std::move(store), environment.clock(),
                      environment.mac_keys(), [&environment] { return environment.Random(); }));
  environment.blocks().Replace(partition->known_blocks());  // Before anybody can call.
  return std::make_unique<InputsModule>(config, environment, std::move(stores), blocks,
                                        std::move(partition));
}

}  // namespace kantoku::inputs
