#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/floors/floors.h"

namespace kantoku::floors {
namespace {

constexpr int64_t kLifecycles = 100'000;
constexpr int kGroups[] = {100, 500, 1'000};
constexpr size_t kTaskBytes = 150;    // A payload of 100 bytes and what else a task has.
constexpr size_t kResultBytes = 100;  // A result of 16 and what else it has.
constexpr size_t kEndBytes = 50;      // Of each task that ended, in the one row of its group.

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

absl::Status Error(sqlite3* database) {
  return absl::InternalError(absl::StrCat("sqlite: ", sqlite3_errmsg(database)));
}

// The tables of one file, and its statements.
class Lifecycles {
 public:
  explicit Lifecycles(sqlite3* database) : database_(database) {}

  absl::Status Open() {
    for (const char* const sql :
         {"PRAGMA page_size=8192", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
          "CREATE TABLE task (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
          "CREATE TABLE result (key INTEGER PRIMARY KEY, value BLOB NOT NULL)",
          "CREATE TABLE ended (key INTEGER PRIMARY KEY, value BLOB NOT NULL)"}) {
      Execute(sql);
    }
    insert_ = Prepare("INSERT INTO task VALUES (?, ?)");
    result_ = Prepare("INSERT INTO result VALUES (?, ?)");
    end_ = Prepare("INSERT INTO ended VALUES (?, ?)");
    erase_ = Prepare("DELETE FROM task WHERE key BETWEEN ? AND ?");
    return status_;
  }

  // As the product does it: tasks are durable, then their results, then their ends, with which the
  // tasks go.
  absl::Status LiveGroup(int64_t first, int64_t count) {
    Execute("BEGIN");
    for (int64_t key = first; key < first + count; ++key) Insert(insert_, key, kTaskBytes);
    Execute("COMMIT");
    Execute("BEGIN");
    for (int64_t key = first; key < first + count; ++key) Insert(result_, key, kResultBytes);
    Execute("COMMIT");
    Execute("BEGIN");
    Insert(end_, first, static_cast<size_t>(count) * kEndBytes);
    sqlite3_bind_int64(erase_.get(), 1, first);
    sqlite3_bind_int64(erase_.get(), 2, first + count - 1);
    Run(erase_);
    Execute("COMMIT");
    return status_;
  }

 private:
  void Check(bool good) {
    if (!good && status_.ok()) status_ = Error(database_);
  }
  void Execute(const char* sql) {
    Check(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  Statement Prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    Check(sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) == SQLITE_OK);
    return {statement, &sqlite3_finalize};
  }
  void Run(const Statement& statement) {
    Check(sqlite3_step(statement.get()) == SQLITE_DONE);
    sqlite3_reset(statement.get());
  }
  void Insert(const Statement& statement, int64_t key, size_t bytes) {
    value_.resize(bytes, 'x');
    sqlite3_bind_int64(statement.get(), 1, key);
    sqlite3_bind_blob(statement.get(), 2, value_.data(), static_cast<int>(bytes), SQLITE_STATIC);
    Run(statement);
  }

  sqlite3* const database_;
  absl::Status status_;  // The first error.
  std::string value_;
  Statement insert_{nullptr, &sqlite3_finalize};
  Statement result_{nullptr, &sqlite3_finalize};
  Statement end_{nullptr, &sqlite3_finalize};
  Statement erase_{nullptr, &sqlite3_finalize};
};

absl::StatusOr<double> Measure(const std::string& path, int64_t group) {
  sqlite3* opened = nullptr;
  const bool open = sqlite3_open(path.c_str(), &opened) == SQLITE_OK;
  const Database database(opened, &sqlite3_close);
  if (!open) return Error(opened);
  Lifecycles lifecycles(opened);
  if (absl::Status status = lifecycles.Open(); !status.ok()) return status;
  const absl::Time begin = absl::Now();
  for (int64_t first = 0; first < kLifecycles; first += group) {
    if (absl::Status status = lifecycles.LiveGroup(first, group); !status.ok()) return status;
  }
  return static_cast<double>(kLifecycles) / absl::ToDoubleSeconds(absl::Now() - begin);
}

}  // namespace

absl::StatusOr<double> SqliteLifecycles(const std::string& directory) {
  double best = 0;
  for (const int group : kGroups) {
    auto measured = Measure(absl::StrCat(directory, "/lifecycles-", group), group);
    if (!measured.ok()) return measured;
    best = std::max(best, *measured);
  }
  return best;
}

}  // namespace kantoku::floors
