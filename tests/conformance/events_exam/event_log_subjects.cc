#include <utility>

#include "services/events/log_records.h"
#include "services/events/record_event_log.h"
#include "services/platform/check.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/conformance/events_exam/event_log_exam.h"
#include "tests/support/backend.h"
#include "tests/support/postgres_database.h"
#include "tests/support/store_server.h"
#include "tests/support/temp_dir.h"

namespace kantoku::events {
namespace {

struct Stores {
  std::shared_ptr<void> program;  // That keeps the records, if one has to run.
  std::unique_ptr<platform::RecordStoreFactory> factory;
};

// A RecordEventLog over any record store.
class RecordLogSubject final : public LogSubject {
 public:
  using MakeStores = std::function<Stores(const std::string& directory)>;
  explicit RecordLogSubject(const MakeStores& make) : stores_(make(directory_.path())) {}

  std::unique_ptr<EventLog> Open(const Retention& retention, uint32_t id) override {
    // Two rows in memory, so that the store is read as well.
    auto log =
        OpenRecordEventLog({.retention = retention, .in_memory = {.max_rows = 2}, .new_id = id},
                           *stores_.factory, clock());
    KANTOKU_CHECK(log.ok());
    return *std::move(log);
  }

 private:
  test::TempDir directory_;
  const Stores stores_;
};

Stores Memory(const std::string&) {
  return {.program = nullptr, .factory = platform::MakeMemoryRecordStoreFactory(EventsSchema())};
}

Stores Sqlite(const std::string& directory) {
  return {
      .program = nullptr,
      .factory = platform::MakeSqliteRecordStoreFactory(EventsSchema(), {.directory = directory})};
}

Stores Postgres(const std::string&) {
  static const test::PostgresDatabase database;
  static int schemas = 0;
  return {.program = nullptr,
          .factory = platform::MakePostgresRecordStoreFactory(
              EventsSchema(), {.connection = database.connection(),
                               .schema = "log_" + std::to_string(++schemas),
                               .migrate = true})};
}

Stores RemoteSqlite(const std::string& directory) {
  struct Program {
    explicit Program(Stores kept) : stores(std::move(kept)) {}
    const Stores stores;
    test::StoreServer server{{{"events", stores.factory.get()}}};
  };
  auto program = std::make_shared<Program>(Sqlite(directory));
  auto channel = program->server.Connect();
  return {.program = std::move(program),
          .factory = platform::MakeRemoteRecordStoreFactory(EventsSchema(),
                                                            {.channel = std::move(channel)})};
}

LogEntry Entry(std::string name, Stores (*make)(const std::string&)) {
  return {std::move(name), [make] { return std::make_unique<RecordLogSubject>(make); }};
}

}  // namespace

std::vector<LogEntry> AllLogs() {
  return test::OfChosenBackend<LogEntry>({Entry("memory", Memory), Entry("sqlite", Sqlite),
                                          Entry("postgres", Postgres),
                                          Entry("remote-sqlite", RemoteSqlite)});
}

}  // namespace kantoku::events
