#include "services/platform/store/postgres/postgres_reader.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "services/platform/status.h"
#include "services/platform/store/postgres/postgres_schema.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

// How much of a long scan is in memory at a time.
constexpr size_t kFirstPageRows = 256;
constexpr size_t kPageRows = 8192;
constexpr int64_t kPageBytes = int64_t{1} << 20;
constexpr size_t kPageKeys = 1024;

// No row at all when the owner is fenced; one of nulls when there is nothing to find.
constexpr char kRead[] =
    "SELECT found.place, found.value FROM {schema}.{component}_partition AS p"
    " LEFT JOIN LATERAL ("
    "  SELECT place, value FROM ("
    "   SELECT k.place, r.value,"
    "    sum(octet_length(r.value)) OVER (ORDER BY k.place ROWS UNBOUNDED PRECEDING)"
    "     - octet_length(r.value) AS before"
    "   FROM unnest($4::int8[]) WITH ORDINALITY AS k(key, place) CROSS JOIN LATERAL ("
    "    SELECT n.value FROM {schema}.{component}_record AS n"
    "     WHERE n.partition = $1::int8 AND n.kind = $3::int8 AND n.key = k.key"
    "     ORDER BY n.batch DESC LIMIT 1) AS r) AS page"
    "  WHERE before < $5::int8) AS found ON true"
    " WHERE p.partition = $1::int8 AND p.epoch = $2::int8 ORDER BY found.place";

constexpr char kScan[] =
    "SELECT found.key, found.value FROM {schema}.{component}_partition AS p"
    " LEFT JOIN LATERAL ("
    "  SELECT key, value FROM ("
    "   SELECT r.key, r.value,"
    "    sum(octet_length(r.value)) OVER (ORDER BY r.key {order} ROWS UNBOUNDED PRECEDING)"
    "     - octet_length(r.value) AS before"
    "   FROM (SELECT n.key, n.value FROM {schema}.{component}_record AS n"
    "     WHERE n.partition = $1::int8 AND n.kind = $3::int8"
    "      AND n.key BETWEEN $4::int8 AND $5::int8"
    "     ORDER BY n.key {order} LIMIT $6::int8) AS r) AS page"
    "  WHERE before < $7::int8) AS found ON true"
    " WHERE p.partition = $1::int8 AND p.epoch = $2::int8 ORDER BY found.key {order}";

std::string Ordered(std::string_view sql, std::string_view order) {
  std::string text(sql);
  for (size_t at; (at = text.find("{order}")) != std::string::npos;) text.replace(at, 7, order);
  return text;
}

// What a Read asks for, page by page: those of the keys that follow the last one visited.
class KeysWalk {
 public:
  explicit KeysWalk(const RecordKeys& keys) : kind_(keys.kind), left_(keys.keys) {}

  const char* statement() const { return "read"; }

  bool HasToBeginAnew() const { return false; }

  void AddTo(PostgresParameters& parameters) const {
    const auto page = left_.first(std::min(left_.size(), kPageKeys));
    const std::vector<int64_t> keys(page.begin(), page.end());
    parameters.Integer(kind_).Integers(keys).Integer(kPageBytes);
  }

  RecordKey KeyOf(const PostgresRows& rows, size_t row) const {
    return left_[static_cast<size_t>(rows.Integer(row, 0)) - 1];
  }

  // `rows` were the answer, and were `bytes` long. Whether that was all.
  bool Advance(const PostgresRows& rows, size_t found, size_t bytes) {
    const bool was_cut = bytes >= static_cast<size_t>(kPageBytes);
    left_ = left_.subspan(was_cut ? static_cast<size_t>(rows.Integer(found - 1, 0))
                                  : std::min(left_.size(), kPageKeys));
    return left_.empty();
  }

 private:
  const RecordKind kind_;
  std::span<const RecordKey> left_;
};

// What a Scan asks for, likewise. It begins where there may be records: below, what was deleted and
// could not be cleared away yet would be walked over each time. How many rows fill a page is found
// out: the server reads all that it is asked for before it cuts them at the page's bytes.
class RangeWalk {
 public:
  RangeWalk(const RecordRange& range, const FirstKeys& first_keys)
      : first_keys_(first_keys),
        times_lowered_(first_keys.times_lowered()),
        first_(range.first),
        left_(range) {
    left_.first = std::min(std::max(range.first, first_keys.Of(range.kind)), kMaxRecordKey);
    left_.last = std::min(left_.last, kMaxRecordKey);
  }

  // Whether a batch may have been seen that has put a record below; if so it begins as it was told.
  bool HasToBeginAnew() {
    if (first_keys_.times_lowered() == times_lowered_) return false;
    return std::exchange(left_.first, first_) != first_;
  }

  const char* statement() const { return left_.descending ? "scan_down" : "scan_up"; }

  void AddTo(PostgresParameters& parameters) const {
    parameters.Integer(left_.kind)
        .Integer(static_cast<int64_t>(left_.first))
        .Integer(static_cast<int64_t>(left_.last))
        .Integer(static_cast<int64_t>(limit()))
        .Integer(kPageBytes);
  }

  RecordKey KeyOf(const PostgresRows& rows, size_t row) const {
    return static_cast<RecordKey>(rows.Integer(row, 0));
  }

  bool Advance(const PostgresRows& rows, size_t found, size_t bytes) {
    const bool was_cut = bytes >= static_cast<size_t>(kPageBytes);
    const bool is_all = !was_cut && found < limit();
    left_.limit -= found;
    if (left_.limit == 0 || is_all) return true;
    const RecordKey last = KeyOf(rows, found - 1);
    if (last == (left_.descending ? left_.first : left_.last)) return true;
    (left_.descending ? left_.last : left_.first) = left_.descending ? last - 1 : last + 1;
    page_rows_ = std::min(2 * (was_cut ? found : page_rows_), kPageRows);
    return false;
  }

 private:
  size_t limit() const { return std::min(left_.limit, page_rows_); }

  const FirstKeys& first_keys_;
  const uint64_t times_lowered_;
  const RecordKey first_;
  RecordRange left_;
  size_t page_rows_ = kFirstPageRows;
};

size_t CountFound(const PostgresRows& rows) { return rows.IsNull(0, 0) ? 0 : rows.size(); }

// Whether `rows` were the last that `walk` had to ask for.
template <typename Walk>
bool Advance(Walk& walk, const PostgresRows& rows) {
  const size_t found = CountFound(rows);
  size_t bytes = 0;
  for (size_t row = 0; row < found; ++row) bytes += rows.ByteCount(row, 1);
  return walk.Advance(rows, found, bytes);
}

}  // namespace

absl::StatusOr<PostgresReader> PostgresReader::Open(const PostgresPartition& partition,
                                                    std::shared_ptr<const FirstKeys> first_keys,
                                                    const PostgresStoreOptions& options) {
  PostgresReader reader(partition, std::move(first_keys), options);
  KANTOKU_RETURN_IF_ERROR(reader.connection_.Connect());
  return reader;
}

PostgresReader::PostgresReader(const PostgresPartition& partition,
                               std::shared_ptr<const FirstKeys> first_keys,
                               const PostgresStoreOptions& options)
    : partition_(partition),
      first_keys_(std::move(first_keys)),
      connection_(SessionOptions(
          options, SessionsOf(partition.place, static_cast<uint32_t>(partition.number)))) {
  connection_.Prepare("read", InPlace(kRead, partition.place));
  connection_.Prepare("scan_up", InPlace(Ordered(kScan, "ASC"), partition.place));
  connection_.Prepare("scan_down", InPlace(Ordered(kScan, "DESC"), partition.place));
}

absl::Status PostgresReader::Read(const RecordKeys& keys, RecordVisitor visit) {
  return Follow(KeysWalk(keys), visit);
}

absl::Status PostgresReader::Scan(const RecordRange& range, RecordVisitor visit) {
  return Follow(RangeWalk(range, *first_keys_), visit);
}

// Most is one page, which is one statement, and so of one moment. What turns out to be longer
// begins again in a transaction.
template <typename Walk>
absl::Status PostgresReader::Follow(const Walk& whole, RecordVisitor visit) {
  Walk walk = whole;
  KANTOKU_ASSIGN_OR_RETURN(const PostgresRows rows, AskFirst(walk));
  if (Walk next = walk; Advance(next, rows)) {
    Visit(walk, rows, visit);
    return absl::OkStatus();
  }
  KANTOKU_RETURN_IF_ERROR(WhileOpen(connection_.BeginSnapshot()));
  absl::Status followed = FollowPages(whole, visit);
  if (!followed.ok()) {
    connection_.Close();
    return followed;
  }
  return WhileOpen(connection_.EndSnapshot());
}

template <typename Walk>
absl::Status PostgresReader::FollowPages(const Walk& whole, RecordVisitor visit) {
  Walk walk = whole;
  for (auto rows = AskFirst(walk);; rows = Ask(walk)) {
    if (!rows.ok()) return rows.status();
    Visit(walk, *rows, visit);
    if (Advance(walk, *rows)) return absl::OkStatus();
  }
}

// What was looked at is of one moment from here on, and where a walk begins has to fit it.
template <typename Walk>
absl::StatusOr<PostgresRows> PostgresReader::AskFirst(Walk& walk) {
  auto rows = Ask(walk);
  return rows.ok() && walk.HasToBeginAnew() ? Ask(walk) : rows;
}

template <typename Walk>
absl::StatusOr<PostgresRows> PostgresReader::Ask(const Walk& walk) {
  PostgresParameters parameters;
  parameters.Integer(partition_.number).Integer(partition_.epoch);
  walk.AddTo(parameters);
  auto rows = connection_.Run(walk.statement(), parameters);
  if (!rows.ok()) return WhileOpen(rows.status());
  if (rows->empty()) return FencedError();
  return rows;
}

template <typename Walk>
void PostgresReader::Visit(const Walk& walk, const PostgresRows& rows, RecordVisitor visit) {
  const size_t found = CountFound(rows);
  for (size_t row = 0; row < found; ++row) {
    rows.Bytes(row, 1, value_);
    visit(walk.KeyOf(rows, row), value_);
  }
}

}  // namespace kantoku::platform
