#include "services/events/log_records.h"
#include "services/events/record_event_log.h"
#include "services/platform/check.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/conformance/events_exam/event_log_exam.h"
#include "tests/support/private_postgres.h"
#include "tests/support/temp_dir.h"

namespace kantoku::events {
namespace {

// A RecordEventLog over any record store.
class RecordLogSubject final : public LogSubject {
 public:
  using MakeFactory =
      std::function<std::unique_ptr<platform::RecordStoreFactory>(const std::string& directory)>;
  explicit RecordLogSubject(const MakeFactory& make) : stores_(make(directory_.path())) {}

  std::unique_ptr<EventLog> Open(const Retention& retention, uint32_t id) override {
    // Two rows in memory, so that the store is read as well.
    auto log = OpenRecordEventLog(
        {.retention = retention, .in_memory = {.max_rows = 2}, .new_id = id}, *stores_, clock());
    KANTOKU_CHECK(log.ok());
    return *std::move(log);
  }

 private:
  test::TempDir directory_;
  std::unique_ptr<platform::RecordStoreFactory> stores_;
};

std::unique_ptr<platform::RecordStoreFactory> Memory(const std::string&) {
  return platform::MakeMemoryRecordStoreFactory(EventsSchema());
}

std::unique_ptr<platform::RecordStoreFactory> Sqlite(const std::string& directory) {
  return platform::MakeSqliteRecordStoreFactory(EventsSchema(), {.directory = directory});
}

std::unique_ptr<platform::RecordStoreFactory> Postgres(const std::string&) {
  static const test::PrivatePostgres server;
  static int schemas = 0;
  return platform::MakePostgresRecordStoreFactory(EventsSchema(),
                                                  {.connection = server.connection(),
                                                   .schema = "log_" + std::to_string(++schemas),
                                                   .migrate = true});
}

}  // namespace

std::vector<LogEntry> AllLogs() {
  return {{"memory", [] { return std::make_unique<RecordLogSubject>(Memory); }},
          {"sqlite", [] { return std::make_unique<RecordLogSubject>(Sqlite); }},
          {"postgres", [] { return std::make_unique<RecordLogSubject>(Postgres); }}};
}

}  // namespace kantoku::events
