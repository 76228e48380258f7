#include "services/platform/sqlite/sqlite_status.h"

#include <sqlite3.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

struct Row {
  int code;  // Extended or primary; the first that fits counts.
  absl::StatusCode status;
  std::string_view reason;
};

constexpr Row kTable[] = {
    {SQLITE_IOERR_SHMSIZE, absl::StatusCode::kResourceExhausted, kStoreFull},
    {SQLITE_IOERR_NOMEM, absl::StatusCode::kResourceExhausted, kOutOfMemory},
    {SQLITE_IOERR_CORRUPTFS, absl::StatusCode::kDataLoss, kStoreDamaged},
    {SQLITE_IOERR_DATA, absl::StatusCode::kDataLoss, kStoreDamaged},
    {SQLITE_FULL, absl::StatusCode::kResourceExhausted, kStoreFull},
    {SQLITE_NOMEM, absl::StatusCode::kResourceExhausted, kOutOfMemory},
    {SQLITE_BUSY, absl::StatusCode::kUnavailable, kStoreBusy},
    {SQLITE_LOCKED, absl::StatusCode::kUnavailable, kStoreBusy},
    {SQLITE_PROTOCOL, absl::StatusCode::kUnavailable, kStoreBusy},
    {SQLITE_INTERRUPT, absl::StatusCode::kUnavailable, kStoreBusy},
    {SQLITE_IOERR, absl::StatusCode::kUnavailable, kStoreFailing},
    {SQLITE_CANTOPEN, absl::StatusCode::kUnavailable, kStoreFailing},
    {SQLITE_CORRUPT, absl::StatusCode::kDataLoss, kStoreDamaged},
    {SQLITE_NOTADB, absl::StatusCode::kDataLoss, kStoreDamaged},
    {SQLITE_READONLY, absl::StatusCode::kFailedPrecondition, kStoreReadOnly},
    {SQLITE_PERM, absl::StatusCode::kFailedPrecondition, kStoreReadOnly},
    {SQLITE_AUTH, absl::StatusCode::kFailedPrecondition, kStoreReadOnly},
    {SQLITE_TOOBIG, absl::StatusCode::kInvalidArgument, "VALUE_TOO_LARGE"},
};

bool SaysNoRoom(int system_errno) {
  return system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
}

constexpr int Primary(int code) { return code & 0xff; }

}  // namespace

absl::Status SqliteStatus(int code, int system_errno, std::string_view message) {
  if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) return absl::OkStatus();
  const std::string text = absl::StrCat("sqlite: ", ToAbsl(message), " (", code, ")");
  if (Primary(code) == SQLITE_IOERR && SaysNoRoom(system_errno)) {
    return Error(absl::StatusCode::kResourceExhausted, kStoreFull, text);
  }
  for (const Row& row : kTable) {
    if (row.code == code || row.code == Primary(code)) return Error(row.status, row.reason, text);
  }
  return Error(absl::StatusCode::kInternal, "SQLITE_MISUSED", text);
}

}  // namespace kantoku::platform
