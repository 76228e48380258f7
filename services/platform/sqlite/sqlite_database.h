#ifndef KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_DATABASE_H_
#define KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_DATABASE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kantoku::platform {

// A prepared statement, for use again and again: bind, step or run, reset.
//
// Thread-compatible. Ends before its database. Errors as sqlite_status.h.
class SqliteStatement {
 public:
  // A statement that may only be assigned to.
  SqliteStatement() = default;

  // Parameters count from 1. Faults of binding come out of the next Step. `blob` lives until Reset.
  void BindInteger(int parameter, uint64_t value);  // Up to 2^63 - 1.
  void BindBlob(int parameter, std::string_view blob);
  void BindText(int parameter, std::string_view text);

  // Whether there is a row to look at; resets itself when there is none, or an error.
  absl::StatusOr<bool> Step();
  // Steps to the end.
  absl::Status Run();
  void Reset();

  // Columns count from 0; what they return lives until the next Step or Reset.
  uint64_t Integer(int column) const;
  std::string_view Blob(int column) const;

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  void NoteBind(int code);

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_code_ = 0;
};

// A connection.
//
// Thread-compatible. Errors as sqlite_status.h.
class SqliteDatabase {
 public:
  enum class Mode {
    kReadWrite,  // There must be a file; an empty one is a database without tables.
    kImmutable,  // Reads the main file alone, takes no lock, makes no file beside it.
  };
  static absl::StatusOr<SqliteDatabase> Open(const std::string& path, Mode mode);

  // Runs statements whose rows are of no interest.
  absl::Status Execute(const std::string& sql);
  absl::StatusOr<SqliteStatement> Prepare(std::string_view sql);
  // The first column of the first row; INTERNAL when there is no row.
  absl::StatusOr<uint64_t> QueryInteger(std::string_view sql);

  // Rows that the last finished INSERT, UPDATE or DELETE changed.
  uint64_t changes() const;
  bool in_transaction() const;

  // Leaves the log as it is when this connection closes, also when no other one is left.
  void KeepLog();

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit SqliteDatabase(sqlite3* database) : database_(database) {}
  absl::Status StatusOf(int code) const;

  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SQLITE_SQLITE_DATABASE_H_
