#include "services/platform/sqlite/sqlite_database.h"

#include <sqlite3.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/sqlite/sqlite_status.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

absl::Status ErrorOf(sqlite3* database, int code, int system_errno) {
  if (code == SQLITE_OK) return absl::OkStatus();
  return SqliteStatus(code, system_errno, sqlite3_errmsg(database));
}

absl::Status ErrorOf(sqlite3* database, int code) {
  return ErrorOf(database, code, sqlite3_system_errno(database));
}

// A file name as a URI's path; SQLite takes '?', '#' and '%' in it for its own.
std::string UriOf(const std::string& path, std::string_view query) {
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      absl::StrAppend(&uri, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    } else {
      uri.push_back(c);
    }
  }
  return absl::StrCat(uri, "?", ToAbsl(query));
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void SqliteStatement::BindInteger(int parameter, uint64_t value) {
  KANTOKU_CHECK(value <= INT64_MAX);
  NoteBind(sqlite3_bind_int64(statement_.get(), parameter, static_cast<int64_t>(value)));
}

void SqliteStatement::BindBlob(int parameter, std::string_view blob) {
  // A null pointer would bind NULL, not an empty blob.
  const char* data = blob.data() != nullptr ? blob.data() : "";
  NoteBind(sqlite3_bind_blob64(statement_.get(), parameter, data, blob.size(), SQLITE_STATIC));
}

void SqliteStatement::BindText(int parameter, std::string_view text) {
  NoteBind(sqlite3_bind_text64(statement_.get(), parameter, text.data(), text.size(), SQLITE_STATIC,
                               SQLITE_UTF8));
}

void SqliteStatement::NoteBind(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  if (const int code = std::exchange(bind_code_, SQLITE_OK); code != SQLITE_OK) {
    return ErrorOf(database, code);
  }
  errno = 0;
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  // Not from SQLite, which forgets what the system said when a COMMIT fails.
  const int system_errno = errno;
  // Before Reset, which may change what the connection says of the error.
  absl::Status status =
      code == SQLITE_DONE ? absl::OkStatus() : ErrorOf(database, code, system_errno);
  Reset();
  if (!status.ok()) return status;
  return false;
}

absl::Status SqliteStatement::Run() {
  for (;;) {
    KANTOKU_ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();
  }
}

void SqliteStatement::Reset() { sqlite3_reset(statement_.get()); }

uint64_t SqliteStatement::Integer(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

std::string_view SqliteStatement::Blob(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

void SqliteDatabase::Close::operator()(sqlite3* database) const {
  // Statements end before their database, so it never stays open as a zombie.
  KANTOKU_CHECK(sqlite3_close(database) == SQLITE_OK);
}

absl::Status SqliteDatabase::StatusOf(int code) const { return ErrorOf(database_.get(), code); }

absl::StatusOr<SqliteDatabase> SqliteDatabase::Open(const std::string& path, Mode mode) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  std::string_view query;
  switch (mode) {
    case Mode::kReadWrite:
      flags |= SQLITE_OPEN_READWRITE;
      break;
    case Mode::kImmutable:
      flags |= SQLITE_OPEN_READONLY;
      query = "immutable=1";
      break;
  }
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(UriOf(path, query).c_str(), &handle, flags, nullptr);
  // Also when opening failed there may be a handle, which has the message and is to be closed.
  if (handle == nullptr) return SqliteStatus(code, 0, sqlite3_errstr(code));
  SqliteDatabase database(handle);
  KANTOKU_RETURN_IF_ERROR(database.StatusOf(code));
  return database;
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  return StatusOf(sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  KANTOKU_RETURN_IF_ERROR(
      StatusOf(sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                  SQLITE_PREPARE_PERSISTENT, &statement, nullptr)));
  return SqliteStatement(statement);
}

absl::StatusOr<uint64_t> SqliteDatabase::QueryInteger(std::string_view sql) {
  KANTOKU_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
  KANTOKU_ASSIGN_OR_RETURN(const bool row, statement.Step());
  if (!row) return SqliteStatus(SQLITE_ERROR, 0, absl::StrCat("no row: ", ToAbsl(sql)));
  const uint64_t result = statement.Integer(0);
  KANTOKU_RETURN_IF_ERROR(statement.Run());  // What a statement changes, it has changed at its end.
  return result;
}

uint64_t SqliteDatabase::changes() const {
  return static_cast<uint64_t>(sqlite3_changes64(database_.get()));
}

void SqliteDatabase::KeepLog() {
  KANTOKU_CHECK(sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr) ==
                SQLITE_OK);
}

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

}  // namespace kantoku::platform
