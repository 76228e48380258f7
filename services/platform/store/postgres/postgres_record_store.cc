#include "services/platform/store/postgres/postgres_record_store.h"

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
#include "services/platform/postgres/connection_string.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/status.h"
#include "services/platform/store/postgres/key_spans.h"
#include "services/platform/store/postgres/postgres_reader.h"
#include "services/platform/store/postgres/postgres_schema.h"
#include "services/platform/store/postgres/postgres_session.h"
#include "services/platform/store/postgres/postgres_takeover.h"
#include "services/platform/store/postgres/row_changes.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

// What is deleted out of order leaves the spans wider than they are. Looking where they begin walks
// what was deleted there since the last time.
constexpr int kCommitsPerLook = 256;

constexpr char kCommit[] =
    "SELECT {schema}.{component}_commit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)";

constexpr char kLastBatch[] =
    "SELECT last.batch, last.value FROM {schema}.{component}_partition AS p"
    " LEFT JOIN LATERAL ("
    "  SELECT r.batch, r.value FROM {schema}.{component}_record AS r"
    "   WHERE r.partition = p.partition AND r.kind = -1 AND r.key = 0"
    "   ORDER BY r.batch DESC LIMIT 1) AS last ON true"
    " WHERE p.partition = $1::int8 AND p.epoch = $2::int8";

// Where a kind ends is looked for only when it is not known: the answer may be wider.
constexpr char kSpans[] =
    "SELECT k.kind,"
    " (SELECT r.key FROM {schema}.{component}_record AS r WHERE r.partition = $1::int8"
    "   AND r.kind = k.kind AND r.key BETWEEN k.low AND k.high ORDER BY r.key LIMIT 1),"
    " CASE WHEN k.high < 9223372036854775807 THEN k.high ELSE"
    " (SELECT r.key FROM {schema}.{component}_record AS r WHERE r.partition = $1::int8"
    "   AND r.kind = k.kind AND r.key BETWEEN k.low AND k.high ORDER BY r.key DESC LIMIT 1) END"
    " FROM unnest($2::int8[], $3::int8[], $4::int8[]) AS k(kind, low, high)";

// A standby took over that had not got everything, or a backup was restored under our feet.
absl::Status WentBackError(uint64_t last, uint64_t known) {
  return Error(absl::StatusCode::kDataLoss, kStoreWentBack,
               absl::StrCat("the database ends with batch ", last, " and had answered for batch ",
                            known, "; start again to go on from there"));
}

// The connection that commits.
//
// Thread-compatible.
class Writer {
 public:
  static absl::StatusOr<Writer> Open(const StoreSchema& schema, uint32_t partition,
                                     const PostgresStoreOptions& options) {
    Writer writer(schema, partition, options);
    PostgresConnection& connection = writer.connection_;
    const PostgresTables& place = writer.partition_.place;
    KANTOKU_RETURN_IF_ERROR(CheckPostgresMigrated(connection, place, PostgresMigrations()));
    KANTOKU_ASSIGN_OR_RETURN(writer.partition_.epoch, TakeOver(schema, partition, options));
    KANTOKU_RETURN_IF_ERROR(writer.FindEnd());
    KANTOKU_RETURN_IF_ERROR(writer.WarnOfServer(options));
    return writer;
  }

  const PostgresPartition& partition() const { return partition_; }

  std::shared_ptr<const FirstKeys> first_keys() const { return first_keys_; }

  absl::StatusOr<uint64_t> LastBatch() {
    KANTOKU_ASSIGN_OR_RETURN(const PostgresRows rows, AskEnd());
    return NumberOf(rows);
  }

  absl::Status Commit(const WriteBatch& batch) {
    for (const auto& operation : batch.operations()) KANTOKU_CHECK(knows_[operation.kind]);
    changes_.Read(batch, spans_);
    changes_.Widen(spans_);
    TellReader();
    KeySpans after = spans_;
    changes_.Narrow(after);
    OpenSpans(after);
    PostgresParameters parameters = Owned();
    parameters.Integer(static_cast<int64_t>(previous_))
        .Integer(static_cast<int64_t>(batch.number()))
        .Integers(changes_.ranges().kinds)
        .Integers(changes_.ranges().firsts)
        .Integers(changes_.ranges().lasts)
        .Integers(changes_.olds().kinds)
        .Integers(changes_.olds().keys)
        .Integers(changes_.news().kinds)
        .Integers(changes_.news().keys)
        .Blobs(changes_.news().values)
        .Blob(EncodeSpans(after, kinds_));
    const auto rows = connection_.Run("commit", parameters);
    if (!rows.ok()) return WhileOpen(rows.status());
    if (rows->IsNull(0, 0)) return FencedError();
    const auto before = static_cast<uint64_t>(rows->Integer(0, 0));
    if (before > batch.number()) return BatchOutOfOrderError(batch.number(), before);
    if (before < previous_) return WentBackError(before, previous_);
    previous_ = batch.number();
    // Repeated, it may have been another one that became durable under the number.
    if (before < batch.number()) spans_ = after;
    LookNowAndThen();
    TellReader();
    return absl::OkStatus();
  }

 private:
  Writer(const StoreSchema& schema, uint32_t partition, const PostgresStoreOptions& options)
      : partition_{.place = {options.schema, std::string(schema.component)}, .number = partition},
        connection_(SessionOptions(options, SessionsOf(partition_.place, partition))) {
    for (const StoreSchema::Kind& kind : schema.kinds) {
      knows_[kind.kind] = true;
      (kind.from_others ? from_others_ : kinds_).push_back(kind.kind);
    }
    connection_.Prepare("commit", InPlace(kCommit, partition_.place));
    connection_.Prepare("last_batch", InPlace(kLastBatch, partition_.place));
    connection_.Prepare("spans", InPlace(kSpans, partition_.place));
  }

  PostgresParameters Owned() const {
    return PostgresParameters().Integer(partition_.number).Integer(partition_.epoch);
  }

  // The last batch and what came with it; one row, of nulls when there is none.
  absl::StatusOr<PostgresRows> AskEnd() {
    auto rows = connection_.Run("last_batch", Owned());
    if (!rows.ok()) return WhileOpen(rows.status());
    if (rows->empty()) return FencedError();
    return rows;
  }

  static uint64_t NumberOf(const PostgresRows& end) {
    return end.IsNull(0, 0) ? 0 : static_cast<uint64_t>(end.Integer(0, 0));
  }

  absl::Status FindEnd() {
    KANTOKU_ASSIGN_OR_RETURN(const PostgresRows end, AskEnd());
    previous_ = NumberOf(end);
    std::string spans;
    if (!end.IsNull(0, 1)) end.Bytes(0, 1, spans);
    spans_ = DecodeSpans(spans);
    OpenSpans(spans_);
    KANTOKU_RETURN_IF_ERROR(LookForSpans());
    TellReader();
    return absl::OkStatus();
  }

  // What others put may be anywhere.
  void OpenSpans(KeySpans& spans) const {
    for (const RecordKind kind : from_others_) spans[kind] = {.low = 0, .high = kMaxRecordKey};
  }

  // Makes the spans as narrow as they can be at their beginnings.
  absl::Status LookForSpans() {
    std::vector<int64_t> kinds, lows, highs;
    for (const RecordKind kind : kinds_) {
      if (spans_[kind].empty()) continue;
      kinds.push_back(kind);
      lows.push_back(static_cast<int64_t>(spans_[kind].low));
      highs.push_back(static_cast<int64_t>(spans_[kind].high));
    }
    PostgresParameters parameters;
    parameters.Integer(partition_.number).Integers(kinds).Integers(lows).Integers(highs);
    KANTOKU_ASSIGN_OR_RETURN(const PostgresRows rows, connection_.Run("spans", parameters));
    for (size_t row = 0; row < rows.size(); ++row) {
      KeySpan& span = spans_[static_cast<RecordKind>(rows.Integer(row, 0))];
      if (rows.IsNull(row, 2)) {
        span = KeySpan();
        continue;
      }
      span.high = static_cast<RecordKey>(rows.Integer(row, 2));
      span.low = rows.IsNull(row, 1) ? span.high + 1 : static_cast<RecordKey>(rows.Integer(row, 1));
    }
    return absl::OkStatus();
  }

  void LookNowAndThen() {
    if (!looks_ || ++commits_ % kCommitsPerLook != 0) return;
    looks_ = LookForSpans().ok();  // Where it takes too long it would again.
  }

  void TellReader() {
    for (const RecordKind kind : kinds_) first_keys_->Set(kind, spans_[kind].low);
  }

  absl::Status WarnOfServer(const PostgresStoreOptions& options) {
    KANTOKU_ASSIGN_OR_RETURN(
        const PostgresRows rows,
        connection_.Execute("SELECT name FROM pg_settings"
                            " WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off'"));
    for (size_t row = 0; row < rows.size(); ++row) {
      options.warn(absl::StrCat("the server runs with ", ToAbsl(rows.Text(row, 0)),
                                " = off: a loss of power can destroy what was committed"));
    }
    return absl::OkStatus();
  }

  PostgresPartition partition_;
  PostgresConnection connection_;
  uint64_t previous_ = 0;                // The last batch that is known to be durable.
  std::vector<RecordKind> kinds_;        // Of which the owner alone makes records,
  std::vector<RecordKind> from_others_;  // and all others.
  std::array<bool, 256> knows_ = {};
  KeySpans spans_;
  std::shared_ptr<FirstKeys> first_keys_ = std::make_shared<FirstKeys>();
  uint64_t commits_ = 0;
  bool looks_ = true;
  RowChanges changes_;
};

class PostgresRecordStore final : public RecordStore {
 public:
  PostgresRecordStore(std::string name, Writer writer, PostgresReader reader)
      : name_(std::move(name)), writer_(std::move(writer)), reader_(std::move(reader)) {}

  uint64_t epoch() const override { return static_cast<uint64_t>(writer_.partition().epoch); }

  absl::StatusOr<uint64_t> LastBatch() override {
    absl::StatusOr<uint64_t> last = writer_.LastBatch();
    if (!last.ok()) return Annotate(last.status(), name_);
    return last;
  }

  absl::Status Commit(const WriteBatch& batch) override {
    KANTOKU_CHECK(batch.number() > 0);
    return Annotate(writer_.Commit(batch), name_);
  }

  absl::Status Read(const RecordKeys& keys, RecordVisitor visit) override {
    return Annotate(reader_.Read(keys, visit), name_);
  }

  absl::Status Scan(const RecordRange& range, RecordVisitor visit) override {
    return Annotate(reader_.Scan(range, visit), name_);
  }

 private:
  const std::string name_;
  Writer writer_;
  PostgresReader reader_;
};

class PostgresRecordStoreFactory final : public RecordStoreFactory {
 public:
  PostgresRecordStoreFactory(StoreSchema schema, PostgresStoreOptions options)
      : schema_(std::move(schema)), options_(std::move(options)) {}

  StoreTraits traits() const override { return {.name = "postgres", .durable = true}; }

  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    const std::string name = PartitionName(schema_.component, partition);
    auto store = OpenPartition(name, partition);
    if (!store.ok()) return Annotate(store.status(), name);
    return store;
  }

 private:
  absl::StatusOr<std::unique_ptr<RecordStore>> OpenPartition(const std::string& name,
                                                             uint32_t partition) {
    KANTOKU_RETURN_IF_ERROR(CheckPostgresSchemaName(options_.schema));
    if (options_.migrate) KANTOKU_RETURN_IF_ERROR(MigrateOnce());
    KANTOKU_ASSIGN_OR_RETURN(Writer writer, Writer::Open(schema_, partition, options_));
    KANTOKU_ASSIGN_OR_RETURN(
        PostgresReader reader,
        PostgresReader::Open(writer.partition(), writer.first_keys(), options_));
    return std::make_unique<PostgresRecordStore>(name, std::move(writer), std::move(reader));
  }

  // Who opens another partition meanwhile would do the same, and waits for it.
  absl::Status MigrateOnce() {
    MutexLock lock(migrating_);
    if (!migrated_) KANTOKU_RETURN_IF_ERROR(MigratePostgresStore(schema_, options_).status());
    migrated_ = true;
    return absl::OkStatus();
  }

  const StoreSchema schema_;
  const PostgresStoreOptions options_;

  Mutex migrating_;
  bool migrated_ ABSL_GUARDED_BY(migrating_) = false;
};

}  // namespace

std::unique_ptr<RecordStoreFactory> MakePostgresRecordStoreFactory(StoreSchema schema,
                                                                   PostgresStoreOptions options) {
  return std::make_unique<PostgresRecordStoreFactory>(std::move(schema), std::move(options));
}

absl::StatusOr<int> MigratePostgresStore(const StoreSchema& schema,
                                         const PostgresStoreOptions& options) {
  KANTOKU_RETURN_IF_ERROR(CheckPostgresSchemaName(options.schema));
  PostgresOptions session = SessionOptions(options, "kantoku migrate");
  session.statement_timeout = absl::InfiniteDuration();  // It waits for others, and rows are many.
  session.session = {};
  PostgresConnection connection(std::move(session));
  return MigratePostgres(connection, {options.schema, std::string(schema.component)},
                         PostgresMigrations());
}

}  // namespace kantoku::platform
