#include "services/platform/stores/stores.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/log/log.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/store/decorators/metered_record_store.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/postgres/postgres_inbox.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/postgres/postgres_replica_directory.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"

namespace kantoku::platform {
namespace {

PostgresStoreOptions ToOptions(const config::v1::PostgresStoreConfig& config,
                               std::string_view component) {
  return {.connection = config.connection(),
          .password_file = config.password_file(),
          .connect_timeout = FromProto(config.connect_timeout()),
          .statement_timeout = FromProto(config.statement_timeout()),
          .schema = config.schema(),
          .migrate = config.migrate_on_start(),
          .warn = [name = std::string(component)](std::string_view what) {
            Log(LogLevel::kWarn, absl::StrCat(name, ": postgres: ", ToAbsl(what)));
          }};
}

std::unique_ptr<RecordStoreFactory> MakeBackend(const config::v1::StoreConfig& config,
                                                StoreSchema schema, Environment& environment) {
  switch (config.backend_case()) {
    case config::v1::StoreConfig::kMemory:
      return MakeMemoryRecordStoreFactory(std::move(schema));
    case config::v1::StoreConfig::kSqlite: {
      const std::string& directory = config.sqlite().directory();
      return MakeSqliteRecordStoreFactory(
          std::move(schema), {.directory = directory.empty() ? environment.data_dir() : directory});
    }
    case config::v1::StoreConfig::kPostgres: {
      PostgresStoreOptions options = ToOptions(config.postgres(), schema.component);
      // Who takes a partition over from a replica that hangs has five seconds for all of it.
      if (!environment.advertised().empty()) options.takeover_timeout = absl::Seconds(1);
      return MakePostgresRecordStoreFactory(std::move(schema), std::move(options));
    }
    case config::v1::StoreConfig::kRemote: {
      const config::v1::RemoteStoreConfig& remote = config.remote();
      return MakeRemoteRecordStoreFactory(
          std::move(schema), {.channel = remote.plaintext() ? MakeChannel(remote.address())
                                                            : environment.Connect(remote.address()),
                              .timeout = FromProto(remote.timeout())});
    }
    case config::v1::StoreConfig::BACKEND_NOT_SET:
      break;
  }
  KANTOKU_CHECK(false);  // FillDefaults has chosen one.
}

}  // namespace

std::unique_ptr<RecordStoreFactory> MakeStoreFactory(const config::v1::StoreConfig& config,
                                                     StoreSchema schema, Environment& environment) {
  const std::string_view component = schema.component;
  return MakeMeteredRecordStoreFactory(MakeBackend(config, std::move(schema), environment),
                                       component, environment.metrics(), environment.clock());
}

std::unique_ptr<ReplicaDirectory> MakeReplicaDirectory(const config::v1::StoreConfig& config,
                                                       const StoreSchema& schema) {
  if (!config.has_postgres()) return nullptr;
  return MakePostgresReplicaDirectory(schema, ToOptions(config.postgres(), schema.component));
}

std::unique_ptr<Inbox> MakeInbox(const config::v1::StoreConfig& config, const StoreSchema& schema) {
  if (!config.has_postgres()) return nullptr;
  return MakePostgresInbox(schema, ToOptions(config.postgres(), schema.component));
}

absl::StatusOr<std::optional<int>> MigrateStore(const config::v1::StoreConfig& config,
                                                const StoreSchema& schema) {
  if (!config.has_postgres()) return std::nullopt;
  KANTOKU_ASSIGN_OR_RETURN(
      const int steps,
      MigratePostgresStore(schema, ToOptions(config.postgres(), schema.component)));
  return steps;
}

}  // namespace kantoku::platform
