#include "services/platform/config/defaults.h"

#include <string>

#include "services/platform/directories.h"

namespace kantoku::platform {
namespace {

namespace configpb = ::kantoku::config::v1;

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr int64_t kMinute = 60;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;

constexpr char kListen[] = "127.0.0.1:6330";
constexpr char kMetricsListen[] = "127.0.0.1:6331";
constexpr char kAnyMetricsListen[] = "127.0.0.1:0";

// Setters of a field that has no presence: zero is not set.
#define KANTOKU_DEFAULT(config, field, value) \
  if ((config).field() == 0) (config).set_##field(value)
#define KANTOKU_DEFAULT_TEXT(config, field, value) \
  if ((config).field().empty()) (config).set_##field(value)
#define KANTOKU_DEFAULT_SECONDS(config, field, value) \
  if (!(config).has_##field()) (config).mutable_##field()->set_seconds(value)

void FillStore(configpb::StoreConfig& store) {
  if (store.backend_case() == configpb::StoreConfig::BACKEND_NOT_SET) store.mutable_sqlite();
  if (store.has_remote()) KANTOKU_DEFAULT_SECONDS(*store.mutable_remote(), timeout, 20);
  if (!store.has_postgres()) return;
  configpb::PostgresStoreConfig& postgres = *store.mutable_postgres();
  KANTOKU_DEFAULT_TEXT(postgres, schema, "kantoku");
  KANTOKU_DEFAULT_SECONDS(postgres, connect_timeout, 10);
  KANTOKU_DEFAULT_SECONDS(postgres, statement_timeout, 30);
}

}  // namespace

void FillDefaults(configpb::ServerConfig& config) {
  KANTOKU_DEFAULT_TEXT(config, listen, kListen);
  // Several servers of one machine do not get into each other's way by a port nobody chose.
  KANTOKU_DEFAULT_TEXT(config, metrics_listen,
                       config.listen() == kListen ? kMetricsListen : kAnyMetricsListen);
  KANTOKU_DEFAULT_TEXT(config, data_dir, DefaultDataDir());
  KANTOKU_DEFAULT_TEXT(config, mac_key_file, config.data_dir() + "/mac.keys");
  KANTOKU_DEFAULT_SECONDS(config, drain_timeout, 10);
  KANTOKU_DEFAULT_SECONDS(config, mac_key_lifetime, 30 * kDay);
}

void FillDefaults(configpb::InputsConfig& config) {
  FillStore(*config.mutable_store());
  if (config.namespaces().empty()) config.add_namespaces()->set_name("default");
  for (configpb::DatabaseRoleConfig& role : *config.mutable_database_roles()) {
    KANTOKU_DEFAULT_TEXT(role, namespace_, "default");
    KANTOKU_DEFAULT_TEXT(role, owner, role.name());
    KANTOKU_DEFAULT_TEXT(role, scope, "inputs:spawn");
  }
  KANTOKU_DEFAULT(config, max_payload_bytes, 4 * kMiB);
  KANTOKU_DEFAULT(config, max_pending_tasks, 10'000'000);
  KANTOKU_DEFAULT(config, max_task_types, 100'000);
  KANTOKU_DEFAULT(config, max_selectors, 1'000);
  KANTOKU_DEFAULT(config, max_dependencies, 10'000'000);
  KANTOKU_DEFAULT(config, max_keys, 1'000'000);
  KANTOKU_DEFAULT(config, max_info_bytes, kGiB);
  KANTOKU_DEFAULT(config, max_session_credit, 1'000);
  KANTOKU_DEFAULT_SECONDS(config, ping_interval, 2);
  KANTOKU_DEFAULT_SECONDS(config, grace, 20);
  KANTOKU_DEFAULT_SECONDS(config, start_timeout, kMinute);
  KANTOKU_DEFAULT_SECONDS(config, cancel_timeout, 30);
  KANTOKU_DEFAULT_SECONDS(config, history, kHour);
  KANTOKU_DEFAULT(config, max_history_tasks, 1'000'000);
  KANTOKU_DEFAULT_SECONDS(config, dead_retention, 7 * kDay);
  KANTOKU_DEFAULT(config, max_dead_bytes, 4 * kGiB);
  KANTOKU_DEFAULT(config, payload_cache_bytes, 256 * kMiB);
  if (!config.has_events()) config.set_events(true);
  KANTOKU_DEFAULT(config, max_event_backlog_bytes, kGiB);
}

void FillDefaults(configpb::OutputsConfig& config) {
  FillStore(*config.mutable_store());
  KANTOKU_DEFAULT(config, max_result_bytes, 4 * kMiB);
  KANTOKU_DEFAULT(config, max_awaits_per_stream, 1'000'000);
  KANTOKU_DEFAULT(config, max_bytes, 64 * kGiB);
}

void FillDefaults(configpb::EventsConfig& config) {
  FillStore(*config.mutable_store());
  KANTOKU_DEFAULT_SECONDS(config, retention, kDay);
  KANTOKU_DEFAULT(config, max_bytes, 10 * kGiB);
}

void FillDefaults(configpb::LogConfig& config) {
  KANTOKU_DEFAULT(config, level, configpb::LOG_LEVEL_INFO);
  KANTOKU_DEFAULT(config, format, configpb::LOG_FORMAT_AUTO);
}

void FillDefaults(configpb::AuthConfig& config) {
  KANTOKU_DEFAULT_SECONDS(config, leeway, 30);
  KANTOKU_DEFAULT_SECONDS(config, max_token_lifetime, kDay);
  for (configpb::IssuerConfig& issuer : *config.mutable_issuers()) {
    if (issuer.algorithms().empty()) {
      for (const char* const name : {"RS256", "PS256", "ES256", "EdDSA"}) {
        issuer.add_algorithms(name);
      }
    }
    KANTOKU_DEFAULT_TEXT(issuer, client_id_claim, "client_id");
    KANTOKU_DEFAULT_TEXT(issuer, scope_claim, "scope");
    KANTOKU_DEFAULT_TEXT(issuer, namespaces_claim, "kantoku_namespaces");
    KANTOKU_DEFAULT_TEXT(issuer, labels_claim, "kantoku_labels");
  }
}

void FillDefaults(configpb::Config& config) {
  FillDefaults(*config.mutable_server());
  FillDefaults(*config.mutable_inputs());
  FillDefaults(*config.mutable_outputs());
  FillDefaults(*config.mutable_events());
  FillDefaults(*config.mutable_log());
  FillDefaults(*config.mutable_auth());
}

}  // namespace kantoku::platform
