#include "services/inputs/partition_stack.h"

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/store.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

absl::StatusOr<std::shared_ptr<PartitionStack>> PartitionStack::Open(
    uint32_t number, PartitionOptions options, platform::RecordStoreFactory& stores,
    platform::Inbox* inbox, const config::v1::InputsConfig& config,
    platform::Environment& environment) {
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores.Open(number));
  KANTOKU_ASSIGN_OR_RETURN(
      auto partition,
      Partition::Open(std::move(options), std::move(store), environment.clock(),
                      environment.mac_keys(), [&environment] { return environment.Random(); }));
  return std::shared_ptr<PartitionStack>(
      new PartitionStack(number, inbox, config, environment, std::move(partition)));
}

PartitionStack::PartitionStack(uint32_t number, platform::Inbox* inbox,
                               const config::v1::InputsConfig& config,
                               platform::Environment& environment,
                               std::unique_ptr<Partition> partition)
    : inbox_(inbox),
      config_(config),
      environment_(environment),
      partition_(std::move(partition)),
      streams_(environment.clock(), platform::FromProto(config.ping_interval())),
      served_{.number = number, .partition = *partition_, .streams = streams_} {}

absl::Status PartitionStack::Start() {
  outputs_ =
      std::make_unique<OutputsPeer>(environment_.Connect(config_.outputs_address()),
                                    environment_.clock(), environment_.mac_keys(), *partition_);
  if (config_.events()) {
    events_ = std::make_unique<EventsPeer>(environment_.Connect(config_.events_address()),
                                           environment_.clock(), environment_.mac_keys(),
                                           *partition_, config_.max_event_backlog_bytes());
  }
  KANTOKU_RETURN_IF_ERROR(partition_->Start(*outputs_, events_.get()));
  if (inbox_ == nullptr) return absl::OkStatus();
  prometheus::Gauge& waiting =
      prometheus::BuildGauge()
          .Name("kantoku_inputs_inbox_waiting")
          .Help("Tasks from SQL that cannot be admitted yet and wait in the database.")
          .Register(environment_.metrics())
          .Add({{"partition", absl::StrCat(served_.number)}});
  taker_ = std::make_unique<InboxTaker>(
      inbox_->Watch(served_.number, ToKind(RecordKind::kInbox)),
      [this](std::vector<TaskKey> keys, Partition::Done<InboxStep> done) {
        partition_->TakeInbox(std::move(keys), std::move(done));
      },
      [&waiting](size_t left) { waiting.Set(static_cast<double>(left)); }, environment_.clock());
  return absl::OkStatus();
}

void PartitionStack::Stop() {
  streams_.Stop(
      platform::Error(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping"));
  if (taker_ != nullptr) taker_->BeginStop();
  partition_->Stop();
  if (taker_ != nullptr) taker_->Stop();
  if (outputs_ != nullptr) outputs_->Stop();
  if (events_ != nullptr) events_->Stop();
}

}  // namespace kantoku::inputs
