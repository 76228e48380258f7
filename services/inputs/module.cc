#include "services/inputs/module.h"

#include <atomic>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/inbox_reader.h"
#include "services/inputs/metrics.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition_stack.h"
#include "services/inputs/service.h"
#include "services/inputs/store.h"
#include "services/platform/blocks/blocks_peer.h"
#include "services/platform/blocks/fellow_blocks.h"
#include "services/platform/log/log.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/stores/partition_share.h"
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

SpecLimits LimitsOf(const config::v1::InputsConfig& config) {
  return {.max_payload_bytes = config.max_payload_bytes()};
}

std::vector<DatabaseRole> RolesOf(const config::v1::InputsConfig& config) {
  std::vector<DatabaseRole> roles;
  for (const config::v1::DatabaseRoleConfig& each : config.database_roles()) {
    roles.push_back({each.name(), each.namespace_(), each.owner(), each.scope()});
  }
  return roles;
}

std::vector<platform::InboxRole> InboxRolesOf(const config::v1::InputsConfig& config,
                                              const platform::PartitionMap& map) {
  std::vector<platform::InboxRole> roles;
  for (const DatabaseRole& role : RolesOf(config)) {
    const uint32_t slot = platform::SlotOfNamespace(role.name_space, platform::kSlotCount);
    roles.push_back({.role = role.name,
                     .name_space = role.name_space,
                     .owner = role.owner,
                     .partition = map.OfSlot(slot),
                     .slot = slot + platform::TaskId::kOutside,
                     .max_payload_bytes = config.max_payload_bytes()});
  }
  return roles;
}

std::set<std::string> NamesOf(
    const google::protobuf::RepeatedPtrField<config::v1::NamespaceConfig>& namespaces) {
  std::set<std::string> names;
  for (const config::v1::NamespaceConfig& each : namespaces) names.insert(each.name());
  return names;
}

// Who hears of blocks: this program at once, others over gRPC.
class ToldOfBlocks {
 public:
  explicit ToldOfBlocks(platform::Environment& environment) : environment_(environment) {}

  // Connects to the programs at these addresses, this one excepted. Once.
  void Connect(const std::set<std::string>& addresses) {
    const platform::KnownBlocks known = environment_.blocks().known();
    platform::MutexLock lock(mutex_);
    for (const std::string& address : addresses) {
      if (address.empty()) continue;
      peers_.push_back(std::make_unique<platform::BlocksPeer>(
          environment_.Connect(address), environment_.clock(), environment_.mac_keys()));
      if (known.list != nullptr) peers_.back()->Tell(known);
    }
  }
  void Tell(const platform::KnownBlocks& blocks) {
    environment_.blocks().Replace(blocks);
    platform::MutexLock lock(mutex_);
    for (const auto& peer : peers_) peer->Tell(blocks);
  }
  void Stop() {
    platform::MutexLock lock(mutex_);
    for (const auto& peer : peers_) peer->Stop();
  }

 private:
  platform::Environment& environment_;
  platform::Mutex mutex_;
  std::vector<std::unique_ptr<platform::BlocksPeer>> peers_ ABSL_GUARDED_BY(mutex_);
};

class InputsModule final : public platform::Module, private platform::PartitionHost {
 public:
  InputsModule(const config::v1::InputsConfig& config, platform::Environment& environment)
      : config_(config),
        environment_(environment),
        stores_(platform::MakeStoreFactory(config_.store(), InputsSchema(), environment)),
        waits_(environment.metrics()),
        told_(environment),
        fellows_(environment.blocks(), Connector(), environment.clock(), environment.mac_keys()),
        forwarder_(Connector(), environment.mac_keys(), environment.clock()),
        inbox_reader_(RolesOf(config_), LimitsOf(config_), environment.blocks()),
        inbox_(platform::MakeInbox(config_.store(), InputsSchema())) {}
  ~InputsModule() override { Stop(); }

  // Opens what is ours whatever others do.
  absl::Status Open() {
    KANTOKU_ASSIGN_OR_RETURN(
        share_,
        platform::PartitionShare::Make(config_.store(), InputsSchema(), platform::Division::kBySlot,
                                       *this, environment_, [this](const auto& others) {
                                         forwarder_.SetOthers(others);
                                         fellows_.SetOthers(others);
                                       }));
    here_.emplace(share_->map().count());
    stacks_.emplace(share_->map().count());
    service_.emplace(
        InputsServiceImpl::Options{.limits = LimitsOf(config_),
                                   .namespaces = NamesOf(config_.namespaces()),
                                   .hello_limit = 3 * FromProto(config_.ping_interval())},
        InputsServiceImpl::Routes{share_->map(), *here_, &forwarder_}, environment_.mac_keys(),
        environment_.clock(), environment_.calls());
    return share_->Open();
  }

  std::string_view name() const override { return "inputs"; }
  std::vector<grpc::Service*> services() override { return {&*service_}; }

  absl::Status Start() override {
    std::set<std::string> addresses = {config_.outputs_address()};
    if (config_.events()) addresses.insert(config_.events_address());
    told_.Connect(addresses);
    for (const auto& stack : stacks_->All()) KANTOKU_RETURN_IF_ERROR(stack->Start());
    started_ = true;
    KANTOKU_RETURN_IF_ERROR(share_->Start());
    // Not before: who cannot serve, again and again, has an old configuration perhaps.
    return inbox_ == nullptr ? absl::OkStatus()
                             : inbox_->Allow(InboxRolesOf(config_, share_->map()));
  }

  void Drain(absl::Duration within) override {
    forwarder_.Drain();
    if (share_->Drain()) return;
    for (const auto& stack : stacks_->All()) stack->partition().Drain(within);
  }

  void Stop() override {
    forwarder_.Stop();
    if (share_ != nullptr) share_->Stop();
    told_.Stop();
    fellows_.Stop();
  }

  bool healthy() const override { return share_->health().ok(); }

 private:
  platform::Forwarder::Connect Connector() {
    return [this](const std::string& address) { return environment_.Connect(address); };
  }

  // Null where nobody may spawn by SQL.
  platform::Inbox* UsedInbox() const {
    return config_.database_roles().empty() ? nullptr : inbox_.get();
  }

  // PartitionHost.
  absl::Status Open(uint32_t number) override {
    PartitionOptions options = ToPartitionOptions(config_, environment_.Random());
    options.name = absl::StrCat("inputs/", number);
    options.on_waits = [this, number](const WaitBook::TypeTotals& totals) {
      waits_.Tell(number, totals);
    };
    if (UsedInbox() != nullptr) {
      options.read_inbox = [this](const StoredInbox& record, absl::Time now) {
        return inbox_reader_.Read(record, now);
      };
    }
    if (number == 0) options.on_blocks = [this](const auto& known) { told_.Tell(known); };
    KANTOKU_ASSIGN_OR_RETURN(auto stack, PartitionStack::Open(number, std::move(options), *stores_,
                                                              UsedInbox(), config_, environment_));
    if (number == 0) told_.Tell(stack->partition().known_blocks());  // Before anybody can call.
    if (started_) KANTOKU_RETURN_IF_ERROR(stack->Start());
    here_->Put(number, PartitionStack::ServedOf(stack));
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
  const config::v1::InputsConfig config_;
  platform::Environment& environment_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  WaitMetrics waits_;
  ToldOfBlocks told_;
  platform::FellowBlocks fellows_;
  platform::Forwarder forwarder_;
  const InboxReader inbox_reader_;
  const std::unique_ptr<platform::Inbox> inbox_;  // Null: nobody can put anything into the store.
  std::optional<platform::ServedPartitions<PartitionStack>> stacks_;
  std::optional<platform::ServedPartitions<Served>> here_;
  std::unique_ptr<platform::PartitionShare> share_;
  std::optional<InputsServiceImpl> service_;
  std::atomic<bool> started_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeInputsModule(
    const config::v1::InputsConfig& config, platform::Environment& environment) {
  auto module = std::make_unique<InputsModule>(config, environment);
  KANTOKU_RETURN_IF_ERROR(module->Open());
  return module;
}

}  // namespace kantoku::inputs
