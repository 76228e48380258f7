#include "services/platform/sqlite/sqlite_status.h"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

struct Row {
  int code;
  int system_errno;
  absl::StatusCode status;
  std::string reason;
};

TEST_CASE("Every code of SQLite becomes what its receiver can do") {
  using absl::StatusCode;
  const Row row = GENERATE(values<Row>({
      {SQLITE_FULL, 0, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_IOERR_WRITE, ENOSPC, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_IOERR_WRITE, EDQUOT, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_IOERR_WRITE, EFBIG, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_IOERR_FSYNC, ENOSPC, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_IOERR_SHMSIZE, 0, StatusCode::kResourceExhausted, "STORE_FULL"},
      {SQLITE_NOMEM, 0, StatusCode::kResourceExhausted, "OUT_OF_MEMORY"},
      {SQLITE_IOERR_NOMEM, 0, StatusCode::kResourceExhausted, "OUT_OF_MEMORY"},
      {SQLITE_BUSY, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_BUSY_RECOVERY, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_BUSY_SNAPSHOT, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_LOCKED, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_PROTOCOL, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_INTERRUPT, 0, StatusCode::kUnavailable, "STORE_BUSY"},
      {SQLITE_IOERR, 0, StatusCode::kUnavailable, "STORE_FAILING"},
      {SQLITE_IOERR_WRITE, EIO, StatusCode::kUnavailable, "STORE_FAILING"},
      {SQLITE_IOERR_FSYNC, EIO, StatusCode::kUnavailable, "STORE_FAILING"},
      {SQLITE_CANTOPEN, EMFILE, StatusCode::kUnavailable, "STORE_FAILING"},
      {SQLITE_CORRUPT, 0, StatusCode::kDataLoss, "STORE_DAMAGED"},
      {SQLITE_CORRUPT_INDEX, 0, StatusCode::kDataLoss, "STORE_DAMAGED"},
      {SQLITE_NOTADB, 0, StatusCode::kDataLoss, "STORE_DAMAGED"},
      {SQLITE_IOERR_CORRUPTFS, 0, StatusCode::kDataLoss, "STORE_DAMAGED"},
      {SQLITE_IOERR_DATA, 0, StatusCode::kDataLoss, "STORE_DAMAGED"},
      {SQLITE_READONLY, 0, StatusCode::kFailedPrecondition, "STORE_READ_ONLY"},
      {SQLITE_READONLY_DBMOVED, 0, StatusCode::kFailedPrecondition, "STORE_READ_ONLY"},
      {SQLITE_PERM, 0, StatusCode::kFailedPrecondition, "STORE_READ_ONLY"},
      {SQLITE_AUTH, 0, StatusCode::kFailedPrecondition, "STORE_READ_ONLY"},
      {SQLITE_TOOBIG, 0, StatusCode::kInvalidArgument, "VALUE_TOO_LARGE"},
      {SQLITE_ERROR, 0, StatusCode::kInternal, "SQLITE_MISUSED"},
      {SQLITE_MISUSE, 0, StatusCode::kInternal, "SQLITE_MISUSED"},
      {SQLITE_CONSTRAINT_NOTNULL, 0, StatusCode::kInternal, "SQLITE_MISUSED"},
  }));
  CAPTURE(row.code, row.system_errno);
  const absl::Status status = SqliteStatus(row.code, row.system_errno, "what it said");
  CHECK(status.code() == row.status);
  CHECK(ReasonOf(status) == row.reason);
  CHECK(std::string(status.message()).find("sqlite: what it said") == 0);
}

TEST_CASE("What is no error of SQLite is OK") {
  CHECK(SqliteStatus(SQLITE_OK, 0, "").ok());
  CHECK(SqliteStatus(SQLITE_ROW, 0, "").ok());
  CHECK(SqliteStatus(SQLITE_DONE, 0, "").ok());
}

// A new version's codes are looked at by whoever sees this fail.
TEST_CASE("Only faults of ours are INTERNAL") {
  for (int code = 1; code <= SQLITE_WARNING; ++code) {
    if (std::string(sqlite3_errstr(code)) == "unknown error") continue;
    CAPTURE(code, sqlite3_errstr(code));
    const bool ours = code == SQLITE_ERROR || code == SQLITE_INTERNAL || code == SQLITE_ABORT ||
                      code == SQLITE_NOTFOUND || code == SQLITE_EMPTY || code == SQLITE_SCHEMA ||
                      code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH ||
                      code == SQLITE_MISUSE || code == SQLITE_NOLFS || code == SQLITE_FORMAT ||
                      code == SQLITE_RANGE || code == SQLITE_NOTICE || code == SQLITE_WARNING;
    CHECK((SqliteStatus(code, 0, "").code() == absl::StatusCode::kInternal) == ours);
  }
}

}  // namespace
}  // namespace kantoku::platform
