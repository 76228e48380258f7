#include "services/events/module.h"

#include <string_view>
#include <utility>
#include <vector>

#include "services/events/log.h"
#include "services/events/log_records.h"
#include "services/events/record_event_log.h"
#include "services/events/service.h"
#include "services/events/subscription_hub.h"
#include "services/platform/config/quantities.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "services/platform/stores/stores.h"

namespace kantoku::events {
namespace {

class EventsModule final : public platform::Module {
 public:
  EventsModule(platform::Environment& environment,
               std::unique_ptr<platform::RecordStoreFactory> stores, std::unique_ptr<EventLog> log)
      : stores_(std::move(stores)),
        log_(std::move(log)),
        metrics_(environment.metrics()),
        hub_({}, *log_, metrics_),
        service_({.log = *log_, .hub = hub_, .calls = environment.calls(), .metrics = metrics_}) {}
  ~EventsModule() override { Stop(); }

  std::string_view name() const override { return "events"; }
  std::vector<grpc::Service*> services() override { return {&service_}; }

  absl::Status Start() override {
    service_.Open();
    return absl::OkStatus();
  }
  // Appends go on: services that stop have more to say.
  void Drain(absl::Duration) override { hub_.Drain(); }
  void Stop() override {
    service_.Close();
    hub_.Stop();
    log_->Stop();
  }

  bool healthy() const override { return log_->health().ok(); }

 private:
  // In this order: the used before their users.
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  const std::unique_ptr<EventLog> log_;
  Metrics metrics_;
  SubscriptionHub hub_;
  Service service_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<platform::Module>> MakeEventsModule(
    const config::v1::EventsConfig& config, platform::Environment& environment) {
  auto stores = platform::MakeStoreFactory(config.store(), EventsSchema(), environment);
  RecordEventLogOptions options;
  options.retention = {.age = platform::FromProto(config.retention()),
                       .max_bytes = config.max_bytes()};
  options.new_id = static_cast<uint32_t>(environment.Random());
  KANTOKU_ASSIGN_OR_RETURN(auto log, OpenRecordEventLog(options, *stores, environment.clock()));
  return std::make_unique<EventsModule>(environment, std::move(stores), std::move(log));
}

}  // namespace kantoku::events
