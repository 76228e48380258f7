#include <prometheus/registry.h>

#include <catch2/catch.hpp>
#include <deque>
#include <filesystem>
#include <utility>

#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/store/decorators/metered_record_store.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "services/platform/store/postgres/postgres_record_store.h"
#include "services/platform/store/remote/remote_record_store.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/conformance/record_store_exam.h"
#include "tests/support/backend.h"
#include "tests/support/postgres_database.h"
#include "tests/support/python_store.h"
#include "tests/support/store_server.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

// Puts a program's decorators around a backend, or nothing.
using Decorate =
    std::function<std::unique_ptr<RecordStoreFactory>(std::unique_ptr<RecordStoreFactory>)>;

std::unique_ptr<RecordStoreFactory> Raw(std::unique_ptr<RecordStoreFactory> factory) {
  return factory;
}

std::unique_ptr<RecordStoreFactory> Metered(std::unique_ptr<RecordStoreFactory> factory) {
  static prometheus::Registry registry;
  return MakeMeteredRecordStoreFactory(std::move(factory), "exam", registry, Clock::Real());
}

class MemoryExaminee final : public RecordStoreExaminee {
 public:
  MemoryExaminee(const StoreSchema& schema, const Decorate& decorate)
      : factory_(decorate(MakeMemoryRecordStoreFactory(schema))) {}

  RecordStoreFactory& factory() override { return *factory_; }
  void Crash() override {}

 private:
  const std::unique_ptr<RecordStoreFactory> factory_;
};

class SqliteExaminee final : public RecordStoreExaminee {
 public:
  SqliteExaminee(const StoreSchema& schema, Decorate decorate)
      : schema_(schema), decorate_(std::move(decorate)) {
    Begin();
  }

  RecordStoreFactory& factory() override { return *factories_.back(); }

  // What is in the files while they are open is what a dead process leaves.
  void Crash() override {
    const std::string before = directories_.back().path();
    Begin();
    std::filesystem::copy(before, directories_.back().path());
  }

 private:
  void Begin() {
    // The log is kept short, so that it starts anew several times in the exam.
    const SqliteStoreOptions options{.directory = directories_.emplace_back().path(),
                                     .wal_bytes = size_t{128} << 10};
    factories_.push_back(decorate_(MakeSqliteRecordStoreFactory(schema_, options)));
  }

  const StoreSchema schema_;
  const Decorate decorate_;
  std::deque<test::TempDir> directories_;
  std::deque<std::unique_ptr<RecordStoreFactory>> factories_;
};

// All have one database, and each a schema of its own.
class PostgresExaminee final : public RecordStoreExaminee {
 public:
  PostgresExaminee(const StoreSchema& schema, const Decorate& decorate)
      : factory_(decorate(MakePostgresRecordStoreFactory(schema, Options()))) {}

  RecordStoreFactory& factory() override { return *factory_; }

  // The server loses a dead process's sessions, and what they had not committed.
  void Crash() override {
    PostgresConnection connection({.connection = Database().connection()});
    const auto ended = connection.Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'kantoku %'");
    REQUIRE(ended.ok());
  }

 private:
  static const test::PostgresDatabase& Database() {
    static const test::PostgresDatabase database;
    return database;
  }

  static PostgresStoreOptions Options() {
    static int schemas = 0;
    return {.connection = Database().connection(),
            .schema = "exam_" + std::to_string(++schemas),
            .migrate = true};
  }

  const std::unique_ptr<RecordStoreFactory> factory_;
};

// A store of ours, reached as a program of somebody's own is.
class RemoteExaminee final : public RecordStoreExaminee {
 public:
  RemoteExaminee(const StoreSchema& schema, Decorate decorate)
      : schema_(schema), decorate_(std::move(decorate)), behind_(schema, Raw) {
    Begin();
  }

  RecordStoreFactory& factory() override { return *factories_.back(); }
  void Crash() override {
    behind_.Crash();
    Begin();
  }

 private:
  void Begin() {
    const auto& server = servers_.emplace_back(std::make_unique<test::StoreServer>(
        test::StoreServer::Factories{{std::string(schema_.component), &behind_.factory()}}));
    factories_.push_back(
        decorate_(MakeRemoteRecordStoreFactory(schema_, {.channel = server->Connect()})));
  }

  const StoreSchema schema_;
  const Decorate decorate_;
  SqliteExaminee behind_;
  std::deque<std::unique_ptr<test::StoreServer>> servers_;
  std::deque<std::unique_ptr<RecordStoreFactory>> factories_;
};

// The example in Python.
class PythonExaminee final : public RecordStoreExaminee {
 public:
  PythonExaminee(const StoreSchema& schema, Decorate decorate)
      : schema_(schema), decorate_(std::move(decorate)) {
    Begin();
  }

  RecordStoreFactory& factory() override { return *factories_.back(); }
  void Crash() override {
    program_->Kill();
    Begin();
  }

 private:
  void Begin() {
    program_ = std::make_unique<test::PythonStore>(directory_.path() + "/records.sqlite");
    factories_.push_back(decorate_(
        MakeRemoteRecordStoreFactory(schema_, {.channel = MakeChannel(program_->address())})));
  }

  const StoreSchema schema_;
  const Decorate decorate_;
  const test::TempDir directory_;
  std::unique_ptr<test::PythonStore> program_;
  std::deque<std::unique_ptr<RecordStoreFactory>> factories_;
};

template <typename Examinee>
RecordStoreEntry Entry(std::string name, Decorate decorate) {
  return {std::move(name), [decorate](const StoreSchema& schema) {
            return std::make_unique<Examinee>(schema, decorate);
          }};
}

}  // namespace

std::vector<RecordStoreEntry> RecordStoreEntries() {
  return test::OfChosenBackend<RecordStoreEntry>(
      {Entry<MemoryExaminee>("memory", Raw), Entry<MemoryExaminee>("memory-metered", Metered),
       Entry<SqliteExaminee>("sqlite", Raw), Entry<SqliteExaminee>("sqlite-metered", Metered),
       Entry<PostgresExaminee>("postgres", Raw),
       Entry<PostgresExaminee>("postgres-metered", Metered),
       Entry<RemoteExaminee>("remote-sqlite", Raw), Entry<PythonExaminee>("remote-python", Raw),
       Entry<PythonExaminee>("remote-python-metered", Metered)});
}

}  // namespace kantoku::platform
