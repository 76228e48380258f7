#include "tests/conformance/service_backends.h"

#include <utility>

#include "services/events/log_records.h"
#include "services/inputs/store.h"
#include "services/outputs/store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/support/postgres_store.h"
#include "tests/support/python_store.h"
#include "tests/support/store_server.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

ServiceStore Memory() {
  ServiceStore store;
  store.config.mutable_memory();
  return store;
}

ServiceStore Sqlite() {
  ServiceStore store;
  store.config.mutable_sqlite();
  return store;
}

ServiceStore Postgres() { return {.config = StoreOnPostgres(), .program = nullptr}; }

ServiceStore At(const std::string& address, std::shared_ptr<void> program) {
  ServiceStore store{.config = {}, .program = std::move(program)};
  store.config.mutable_remote()->set_address(address);
  store.config.mutable_remote()->set_plaintext(true);
  store.config.mutable_remote()->mutable_timeout()->set_seconds(20);
  return store;
}

// Our SQLite behind kantoku.store.v1, in this process: what goes between is all that differs.
class SqliteProgram {
 public:
  const StoreServer& server() const { return server_; }

 private:
  std::unique_ptr<platform::RecordStoreFactory> Of(platform::StoreSchema schema) const {
    return platform::MakeSqliteRecordStoreFactory(std::move(schema),
                                                  {.directory = directory_.path()});
  }

  const TempDir directory_;
  const std::unique_ptr<platform::RecordStoreFactory> inputs_ = Of(inputs::InputsSchema());
  const std::unique_ptr<platform::RecordStoreFactory> outputs_ = Of(outputs::OutputsSchema());
  const std::unique_ptr<platform::RecordStoreFactory> events_ = Of(events::EventsSchema());
  StoreServer server_{
      {{"inputs", inputs_.get()}, {"outputs", outputs_.get()}, {"events", events_.get()}}};
};

ServiceStore RemoteSqlite() {
  auto program = std::make_shared<SqliteProgram>();
  return At(program->server().address(), program);
}

// Somebody else's program, in a process of its own.
struct PythonProgram {
  const TempDir directory;
  const PythonStore store{directory.File("records.sqlite")};
};

ServiceStore RemotePython() {
  auto program = std::make_shared<PythonProgram>();
  return At(program->store.address(), program);
}

}  // namespace

std::vector<Backend> ServiceBackends() {
  return {{"memory", false, Memory},
          {"sqlite", true, Sqlite},
          {"postgres", true, Postgres},
          {"remote-sqlite", true, RemoteSqlite},
          {"remote-python", true, RemotePython}};
}

}  // namespace kantoku::test
