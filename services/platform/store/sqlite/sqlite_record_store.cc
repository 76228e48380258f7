#include "services/platform/store/sqlite/sqlite_record_store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/directories.h"
#include "services/platform/mutex.h"
#include "services/platform/sqlite/sqlite_database.h"
#include "services/platform/status.h"
#include "services/platform/store/sqlite/file_lock.h"
#include "services/platform/store/sqlite/store_file.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

// What the living stores of one partition share: the lock, and who came last.
struct Ownership {
  FileLock lock;
  std::atomic<uint64_t> epoch = 0;

  explicit Ownership(FileLock taken) : lock(std::move(taken)) {}
};

// Statements that a kind needs, each prepared once. Absent kinds are not in the schema.
struct WriteStatements {
  SqliteStatement put;
  SqliteStatement erase;
  SqliteStatement erase_range;
};
struct ReadStatements {
  SqliteStatement get;
  SqliteStatement ascending;
  SqliteStatement descending;
};
template <typename Statements>
using ByKind = std::array<std::optional<Statements>, 256>;

template <typename Statements>
Statements& Of(ByKind<Statements>& statements, RecordKind kind) {
  KANTOKU_CHECK(statements[kind].has_value());
  return *statements[kind];
}

absl::StatusOr<SqliteDatabase> Connect(const std::string& path, const SqliteStoreOptions& options) {
  KANTOKU_ASSIGN_OR_RETURN(SqliteDatabase database,
                           SqliteDatabase::Open(path, SqliteDatabase::Mode::kReadWrite));
  // Waiting is for the moment in which another connection recovers the log or is fenced.
  KANTOKU_RETURN_IF_ERROR(database.Execute(
      absl::StrCat("PRAGMA busy_timeout=5000; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
                   "PRAGMA secure_delete=OFF; PRAGMA cache_size=-",
                   options.cache_bytes >> 10, ";")));
  return database;
}

// The connection that commits.
//
// Thread-compatible.
class Writer {
 public:
  static absl::StatusOr<Writer> Open(const std::string& path, const StoreSchema& schema,
                                     const SqliteStoreOptions& options) {
    KANTOKU_ASSIGN_OR_RETURN(SqliteDatabase database, Connect(path, options));
    Writer writer(std::move(database));
    SqliteDatabase& db = writer.database_;
    KANTOKU_RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE;"));
    const auto format = CheckStoreFormat(db, schema);
    if (!format.ok()) {
      db.KeepLog();  // It is the newer program's to move, not ours.
      return format.status();
    }
    KANTOKU_RETURN_IF_ERROR(
        db.Execute(absl::StrCat(UpgradeSql(schema, *format),
                                "UPDATE partition_state SET epoch = epoch + 1 WHERE id = 1;")));
    KANTOKU_ASSIGN_OR_RETURN(writer.epoch_, db.QueryInteger("SELECT epoch FROM partition_state"));
    KANTOKU_RETURN_IF_ERROR(db.Execute("COMMIT;"));

    KANTOKU_ASSIGN_OR_RETURN(const uint64_t page_size, db.QueryInteger("PRAGMA page_size"));
    KANTOKU_RETURN_IF_ERROR(
        db.Execute(absl::StrCat("PRAGMA wal_autocheckpoint=", options.wal_bytes / page_size)));
    KANTOKU_RETURN_IF_ERROR(writer.PrepareAll(schema));
    return writer;
  }

  uint64_t epoch() const { return epoch_; }

  absl::StatusOr<uint64_t> LastBatch() {
    return database_.QueryInteger("SELECT batch FROM partition_state WHERE id = 1");
  }

  absl::Status Commit(const WriteBatch& batch) {
    absl::Status status = TryCommit(batch);
    // Most errors have rolled back already; what is left is undone here, or by the next try.
    if (database_.in_transaction()) rollback_.Run().IgnoreError();
    return status;
  }

 private:
  explicit Writer(SqliteDatabase database) : database_(std::move(database)) {}

  absl::Status PrepareAll(const StoreSchema& schema) {
    KANTOKU_ASSIGN_OR_RETURN(begin_, database_.Prepare("BEGIN IMMEDIATE"));
    KANTOKU_ASSIGN_OR_RETURN(commit_, database_.Prepare("COMMIT"));
    KANTOKU_ASSIGN_OR_RETURN(rollback_, database_.Prepare("ROLLBACK"));
    KANTOKU_ASSIGN_OR_RETURN(advance_,
                             database_.Prepare("UPDATE partition_state SET batch = ?1 "
                                               "WHERE id = 1 AND epoch = ?2 AND batch < ?1"));
    KANTOKU_ASSIGN_OR_RETURN(state_, database_.Prepare("SELECT epoch, batch FROM partition_state"));
    for (const StoreSchema::Kind& kind : schema.kinds) {
      const std::string table = TableOf(kind);
      WriteStatements& statements = statements_[kind.kind].emplace();
      KANTOKU_ASSIGN_OR_RETURN(statements.put, database_.Prepare(absl::StrCat(
                                                   "REPLACE INTO ", table, " VALUES (?, ?)")));
      KANTOKU_ASSIGN_OR_RETURN(statements.erase, database_.Prepare(absl::StrCat(
                                                     "DELETE FROM ", table, " WHERE key = ?")));
      KANTOKU_ASSIGN_OR_RETURN(
          statements.erase_range,
          database_.Prepare(absl::StrCat("DELETE FROM ", table, " WHERE key BETWEEN ? AND ?")));
    }
    return absl::OkStatus();
  }

  absl::Status TryCommit(const WriteBatch& batch) {
    KANTOKU_RETURN_IF_ERROR(begin_.Run());
    advance_.BindInteger(1, batch.number());
    advance_.BindInteger(2, epoch_);
    KANTOKU_RETURN_IF_ERROR(advance_.Run());
    if (database_.changes() == 0) return WhyNotAdvanced(batch);
    for (std::span<const WriteBatch::Operation> rest = batch.operations(); !rest.empty();) {
      const size_t count = CountErasedTogether(rest);
      KANTOKU_RETURN_IF_ERROR(count == 0 ? Put(batch, rest.front())
                                         : Erase(rest.front(), rest[count - 1].last));
      rest = rest.subspan(std::max<size_t>(count, 1));
    }
    return commit_.Run();
  }

  // How many of the first operations erase neighbours: a range costs little more than a record, and
  // what was written together mostly goes together.
  static size_t CountErasedTogether(std::span<const WriteBatch::Operation> operations) {
    const auto erases = [&](const WriteBatch::Operation& operation) {
      return operation.type == WriteBatch::Operation::Type::kErase &&
             operation.kind == operations.front().kind;
    };
    size_t count = erases(operations.front()) ? 1 : 0;
    while (count > 0 && count < operations.size() && erases(operations[count]) &&
           operations[count].first == operations[count - 1].last + 1) {
      ++count;
    }
    return count;
  }

  absl::Status Put(const WriteBatch& batch, const WriteBatch::Operation& operation) {
    WriteStatements& statements = Of(statements_, operation.kind);
    statements.put.BindInteger(1, operation.first);
    statements.put.BindBlob(2, batch.value(operation));
    return statements.put.Run();
  }

  // From the operation's first key to `last`.
  absl::Status Erase(const WriteBatch::Operation& operation, RecordKey last) {
    WriteStatements& statements = Of(statements_, operation.kind);
    if (operation.first == last) {
      statements.erase.BindInteger(1, last);
      return statements.erase.Run();
    }
    statements.erase_range.BindInteger(1, operation.first);
    statements.erase_range.BindInteger(2, last);
    return statements.erase_range.Run();
  }

  // The batch is the last one again, or a fault of the caller, or another owner has come.
  absl::Status WhyNotAdvanced(const WriteBatch& batch) {
    KANTOKU_ASSIGN_OR_RETURN(const bool row, state_.Step());
    KANTOKU_CHECK(row);
    const uint64_t epoch = state_.Integer(0);
    const uint64_t last = state_.Integer(1);
    state_.Reset();
    if (epoch != epoch_) return FencedError();
    if (batch.number() < last) return BatchOutOfOrderError(batch.number(), last);
    return absl::OkStatus();
  }

  SqliteDatabase database_;
  uint64_t epoch_ = 0;
  SqliteStatement begin_;
  SqliteStatement commit_;
  SqliteStatement rollback_;
  SqliteStatement advance_;
  SqliteStatement state_;
  ByKind<WriteStatements> statements_;
};

// The connection that reads, beside the other one and without waiting for it.
//
// Thread-compatible.
class Reader {
 public:
  static absl::StatusOr<Reader> Open(const std::string& path, const StoreSchema& schema,
                                     const SqliteStoreOptions& options) {
    KANTOKU_ASSIGN_OR_RETURN(SqliteDatabase database, Connect(path, options));
    Reader reader(std::move(database));
    KANTOKU_RETURN_IF_ERROR(reader.database_.Execute("PRAGMA query_only=ON;"));
    KANTOKU_RETURN_IF_ERROR(reader.PrepareAll(schema));
    return reader;
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) {
    SqliteStatement& get = Of(statements_, keys.kind).get;
    // One transaction, so that all are of one commit.
    KANTOKU_RETURN_IF_ERROR(begin_.Run());
    absl::Status status;
    for (const RecordKey key : keys.keys) {
      status = ReadOne(get, key, visit);
      if (!status.ok()) break;
    }
    const absl::Status ended = end_.Run();
    return status.ok() ? ended : status;
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) {
    ReadStatements& statements = Of(statements_, range.kind);
    SqliteStatement& scan = range.descending ? statements.descending : statements.ascending;
    scan.BindInteger(1, range.first);
    scan.BindInteger(2, std::min(range.last, kMaxRecordKey));
    scan.BindInteger(3, std::min<uint64_t>(range.limit, INT64_MAX));
    for (;;) {
      KANTOKU_ASSIGN_OR_RETURN(const bool row, scan.Step());
      if (!row) return absl::OkStatus();
      visit(scan.Integer(0), scan.Blob(1));
    }
  }

 private:
  explicit Reader(SqliteDatabase database) : database_(std::move(database)) {}

  static absl::Status ReadOne(SqliteStatement& get, RecordKey key, RecordVisitor visit) {
    get.BindInteger(1, key);
    KANTOKU_ASSIGN_OR_RETURN(const bool row, get.Step());
    if (!row) return absl::OkStatus();
    visit(key, get.Blob(0));
    get.Reset();
    return absl::OkStatus();
  }

  absl::Status PrepareAll(const StoreSchema& schema) {
    KANTOKU_ASSIGN_OR_RETURN(begin_, database_.Prepare("BEGIN"));
    KANTOKU_ASSIGN_OR_RETURN(end_, database_.Prepare("END"));
    for (const StoreSchema::Kind& kind : schema.kinds) {
      const std::string table = TableOf(kind);
      ReadStatements& statements = statements_[kind.kind].emplace();
      KANTOKU_ASSIGN_OR_RETURN(statements.get, database_.Prepare(absl::StrCat(
                                                   "SELECT value FROM ", table, " WHERE key = ?")));
      const std::string scan = absl::StrCat("SELECT key, value FROM ", table,
                                            " WHERE key BETWEEN ? AND ? ORDER BY key ");
      KANTOKU_ASSIGN_OR_RETURN(statements.ascending,
                               database_.Prepare(absl::StrCat(scan, "ASC LIMIT ?")));
      KANTOKU_ASSIGN_OR_RETURN(statements.descending,
                               database_.Prepare(absl::StrCat(scan, "DESC LIMIT ?")));
    }
    return absl::OkStatus();
  }

  SqliteDatabase database_;
  SqliteStatement begin_;
  SqliteStatement end_;
  ByKind<ReadStatements> statements_;
};

class SqliteRecordStore final : public RecordStore {
 public:
  SqliteRecordStore(std::string name, std::shared_ptr<Ownership> ownership, Writer writer,
                    Reader reader)
      : name_(std::move(name)),
        ownership_(std::move(ownership)),
        epoch_(writer.epoch()),
        writer_(std::move(writer)),
        reader_(std::move(reader)) {}

  uint64_t epoch() const override { return epoch_; }

  absl::StatusOr<uint64_t> LastBatch() override {
    KANTOKU_RETURN_IF_ERROR(CheckNotFenced());
    absl::StatusOr<uint64_t> last = writer_.LastBatch();
    if (!last.ok()) return Annotate(last.status(), name_);
    return last;
  }

  absl::Status Commit(const WriteBatch& batch) override {
    KANTOKU_CHECK(batch.number() > 0);
    return Annotate(writer_.Commit(batch), name_);
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    KANTOKU_RETURN_IF_ERROR(CheckNotFenced());
    return Annotate(reader_.Read(keys, visit), name_);
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    KANTOKU_RETURN_IF_ERROR(CheckNotFenced());
    return Annotate(reader_.Scan(range, visit), name_);
  }

 private:
  absl::Status CheckNotFenced() const {
    if (ownership_->epoch.load(std::memory_order_acquire) == epoch_) return absl::OkStatus();
    return Annotate(FencedError(), name_);
  }

  const std::string name_;
  const std::shared_ptr<Ownership> ownership_;  // Let go after the connections are closed.
  const uint64_t epoch_;
  Writer writer_;
  Reader reader_;
};

class SqliteRecordStoreFactory final : public RecordStoreFactory {
 public:
  SqliteRecordStoreFactory(StoreSchema schema, SqliteStoreOptions options)
      : schema_(std::move(schema)), options_(std::move(options)) {}

  StoreTraits traits() const override { return {.name = "sqlite", .durable = true}; }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    const std::string name = PartitionName(schema_.component, partition);
    const std::string path =
        absl::StrCat(options_.directory, "/", ToAbsl(schema_.component), "-", partition, ".sqlite");
    // Opening twice at once must not see half of the other.
    MutexLock lock(opening_);
    auto store = OpenFile(name, path, ownerships_[partition]);
    if (!store.ok()) return Annotate(store.status(), absl::StrCat(name, ": ", path));
    return store;
  }

 private:
  absl::StatusOr<std::unique_ptr<RecordStore>> OpenFile(const std::string& name,
                                                        const std::string& path,
                                                        std::weak_ptr<Ownership>& current) {
    std::shared_ptr<Ownership> ownership = current.lock();
    if (ownership == nullptr) {
      // First looked at, then locked: beside a file that is not ours nothing is made.
      const bool exists = StoreFileExists(path);
      if (exists) KANTOKU_RETURN_IF_ERROR(CheckStoreFile(path, schema_));
      if (!exists) KANTOKU_RETURN_IF_ERROR(MakeDirectory(options_.directory).status());
      KANTOKU_ASSIGN_OR_RETURN(FileLock lock, FileLock::Take(absl::StrCat(path, ".lock")));
      ownership = std::make_shared<Ownership>(std::move(lock));
      if (!exists && !StoreFileExists(path)) {
        KANTOKU_RETURN_IF_ERROR(CreateStoreFile(path, schema_));
      }
    }
    KANTOKU_ASSIGN_OR_RETURN(Writer writer, Writer::Open(path, schema_, options_));
    KANTOKU_ASSIGN_OR_RETURN(Reader reader, Reader::Open(path, schema_, options_));
    ownership->epoch.store(writer.epoch(), std::memory_order_release);
    current = ownership;
    return std::make_unique<SqliteRecordStore>(name, std::move(ownership), std::move(writer),
                                               std::move(reader));
  }

  const StoreSchema schema_;
  const SqliteStoreOptions options_;

  Mutex opening_;
  std::map<uint32_t, std::weak_ptr<Ownership>> ownerships_ ABSL_GUARDED_BY(opening_);
};

}  // namespace

std::unique_ptr<RecordStoreFactory> MakeSqliteRecordStoreFactory(StoreSchema schema,
                                                                 SqliteStoreOptions options) {
  return std::make_unique<SqliteRecordStoreFactory>(std::move(schema), std::move(options));
}

}  // namespace kantoku::platform
