#include "services/platform/sqlite/sqlite_database.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

SqliteDatabase OpenOrFail(const std::string& path) {
  std::ofstream(path, std::ios::app).close();
  auto database = SqliteDatabase::Open(path, SqliteDatabase::Mode::kReadWrite);
  CAPTURE(database.status().ToString());
  REQUIRE(database.ok());
  return *std::move(database);
}

TEST_CASE("A statement is run again and again with other values") {
  test::TempDir directory;
  SqliteDatabase database = OpenOrFail(directory.File("a.sqlite"));
  REQUIRE(database.Execute("CREATE TABLE t (key INTEGER PRIMARY KEY, value BLOB NOT NULL)").ok());
  SqliteStatement insert = *database.Prepare("INSERT INTO t VALUES (?, ?)");
  for (uint64_t key = 0; key < 3; ++key) {
    insert.BindInteger(1, key);
    insert.BindBlob(2, key == 0 ? std::string_view() : "value");
    REQUIRE(insert.Run().ok());
    CHECK(database.changes() == 1);
  }
  SqliteStatement select = *database.Prepare("SELECT key, value FROM t ORDER BY key");
  REQUIRE(*select.Step());
  CHECK(select.Blob(1).empty());
  REQUIRE(*select.Step());
  CHECK(select.Integer(0) == 1);
  CHECK(select.Blob(1) == "value");
}

TEST_CASE("A failed step says why and leaves the statement usable") {
  test::TempDir directory;
  SqliteDatabase database = OpenOrFail(directory.File("a.sqlite"));
  REQUIRE(database.Execute("CREATE TABLE t (key INTEGER PRIMARY KEY)").ok());
  SqliteStatement insert = *database.Prepare("INSERT INTO t VALUES (?)");
  insert.BindInteger(1, 7);
  REQUIRE(insert.Run().ok());
  const absl::Status again = insert.Run();
  CHECK(again.code() == absl::StatusCode::kInternal);
  CHECK_THAT(std::string(again.message()), Catch::Contains("UNIQUE"));
  insert.BindInteger(1, 8);
  CHECK(insert.Run().ok());
}

TEST_CASE("A fault of binding comes out of the next step") {
  test::TempDir directory;
  SqliteDatabase database = OpenOrFail(directory.File("a.sqlite"));
  SqliteStatement select = *database.Prepare("SELECT ?");
  select.BindInteger(2, 7);
  CHECK_FALSE(select.Step().ok());
  select.BindInteger(1, 7);
  CHECK(*select.Step());
}

TEST_CASE("A missing file is not made") {
  test::TempDir directory;
  const std::string path = directory.File("missing.sqlite");
  for (const auto mode : {SqliteDatabase::Mode::kReadWrite, SqliteDatabase::Mode::kImmutable}) {
    CHECK(ReasonOf(SqliteDatabase::Open(path, mode).status()) == "STORE_FAILING");
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("A path means itself, whatever its characters mean in a URI") {
  test::TempDir directory;
  const std::string path = directory.File("a?mode=memory#b%41 ü.sqlite");
  REQUIRE(OpenOrFail(path).Execute("CREATE TABLE t (key INTEGER)").ok());
  CHECK(std::filesystem::file_size(path) > 0);
}

TEST_CASE("An immutable database is read without a trace and cannot be written") {
  test::TempDir directory;
  const std::string path = directory.File("a.sqlite");
  {
    SqliteDatabase writer = OpenOrFail(path);
    REQUIRE(writer.Execute("PRAGMA journal_mode=WAL; CREATE TABLE t AS SELECT 42 AS v").ok());
  }
  auto database = *SqliteDatabase::Open(path, SqliteDatabase::Mode::kImmutable);
  CHECK(*database.QueryInteger("SELECT v FROM t") == 42);
  CHECK(ReasonOf(database.Execute("DELETE FROM t")) == "STORE_READ_ONLY");
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

}  // namespace
}  // namespace kantoku::platform
