#include "services/platform/stores/stores.h"

#include <utility>

#include "services/platform/check.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/store/decorators/metered_record_store.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"

namespace kantoku::platform {
namespace {

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

}  // namespace kantoku::platform
