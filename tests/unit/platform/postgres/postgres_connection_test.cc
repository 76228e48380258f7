#include "services/platform/postgres/postgres_connection.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "services/platform/postgres/postgres_status.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"
#include "tests/support/private_postgres.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

test::PrivatePostgres& Server() {
  static test::PrivatePostgres server;
  return server;
}

PostgresConnection Connection(PostgresOptions options = {}) {
  options.connection = Server().connection();
  return PostgresConnection(std::move(options));
}

std::string TextOf(PostgresConnection& connection, const std::string& sql) {
  const auto rows = connection.Execute(sql);
  CAPTURE(sql, rows.status().ToString());
  REQUIRE(rows.ok());
  return std::string(rows->Text(0, 0));
}

TEST_CASE("Parameters come as they are, and rows come back") {
  PostgresConnection connection = Connection();
  connection.Prepare("echo",
                     "SELECT $1::int8, $2::text, $3::int8[], array_length($4::int8[], 1),"
                     " ($5::bytea[])[2], octet_length(($5::bytea[])[1])");
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::vector<int64_t> numbers = {INT64_MIN, -1, 0, INT64_MAX};
  const std::vector<std::string_view> blobs = {"", all_bytes};
  const auto rows = connection.Run(
      "echo",
      PostgresParameters().Integer(-7).Text("it's").Integers(numbers).Integers({}).Blobs(blobs));
  CAPTURE(rows.status().ToString());
  REQUIRE(rows.ok());
  REQUIRE(rows->size() == 1);
  CHECK(rows->Integer(0, 0) == -7);
  CHECK(rows->Text(0, 1) == "it's");
  CHECK(rows->Text(0, 2) == "{-9223372036854775808,-1,0,9223372036854775807}");
  CHECK(rows->IsNull(0, 3));
  std::string bytes;
  rows->Bytes(0, 4, bytes);
  CHECK(bytes == all_bytes);
  CHECK(rows->ByteCount(0, 4) == 256);
  CHECK(rows->Integer(0, 5) == 0);
}

TEST_CASE("A session that was ended is made anew, with its statements") {
  PostgresConnection connection = Connection({.session = "SET work_mem = '1234kB';"});
  connection.Prepare("mem", "SELECT current_setting('work_mem'), $1::int8, pg_backend_pid()");
  const auto first = connection.Run("mem", PostgresParameters().Integer(1));
  REQUIRE(first.ok());
  PostgresConnection other = Connection();
  TextOf(other, "SELECT pg_terminate_backend(" + std::string(first->Text(0, 2)) + ")");

  const auto second = connection.Run("mem", PostgresParameters().Integer(2));
  CAPTURE(second.status().ToString());
  REQUIRE(second.ok());
  CHECK(second->Text(0, 0) == "1234kB");
  CHECK(second->Text(0, 2) != first->Text(0, 2));
}

TEST_CASE("Nothing of a transaction is left after an error") {
  PostgresConnection connection = Connection();
  TextOf(connection, "BEGIN; SELECT pg_advisory_xact_lock(5); SELECT 1");
  CHECK(connection.Execute("SELECT 1 / 0").status().code() == absl::StatusCode::kInternal);
  CHECK_FALSE(connection.connected());
  PostgresConnection other = Connection();
  TextOf(other, "SELECT pg_advisory_lock(5)");
  CHECK(TextOf(connection, "SELECT pg_try_advisory_lock(5)") == "f");
}

TEST_CASE("Whatever code a server sends arrives as that code") {
  // Of those in the table, what a statement can be made to say.
  for (const std::string code :
       {"25006", "40001", "40P01", "40003", "55P03", "57014", "53100", "53200",
        "53400", "0A000", "26000", "42501", "42P01", "3F000", "42883", "XX001",
        "58030", "54000", "23505", "42601", "22003", "KT001"}) {
    PostgresConnection connection = Connection();
    const absl::Status said =
        connection.Execute("DO $$ BEGIN RAISE 'said' USING ERRCODE = '" + code + "'; END $$")
            .status();
    CAPTURE(code, said.ToString());
    const absl::Status expected = PostgresStatus(code, "said");
    CHECK(said.code() == expected.code());
    CHECK(ReasonOf(said) == ReasonOf(expected));
  }
}

TEST_CASE("A statement ends with its time-out") {
  PostgresConnection connection = Connection({.statement_timeout = absl::Milliseconds(50)});
  const auto rows = connection.Execute("SELECT pg_sleep(1000)");
  CHECK(rows.status().code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(rows.status()) == kStoreBusy);
}

TEST_CASE("Commits wait for the disk whatever the database says, and for more if it says so") {
  PostgresConnection superuser = Connection();
  struct Row {
    std::string set, used;
  };
  for (const Row& row : {Row{"off", "on"}, Row{"local", "on"}, Row{"remote_write", "on"},
                         Row{"remote_apply", "remote_apply"}}) {
    REQUIRE(superuser.Execute("ALTER DATABASE postgres SET synchronous_commit = " + row.set).ok());
    PostgresConnection connection = Connection();
    CHECK(TextOf(connection, "SHOW synchronous_commit") == row.used);
  }
  REQUIRE(superuser.Execute("ALTER DATABASE postgres RESET synchronous_commit").ok());
}

TEST_CASE("A server that takes no writes is not used and may take them later") {
  PostgresConnection superuser = Connection();
  PostgresConnection early = Connection();
  REQUIRE(early.Connect().ok());
  const auto read_only = [&](const std::string& on) {
    REQUIRE(superuser.Execute("ALTER DATABASE postgres SET default_transaction_read_only = " + on)
                .ok());
  };
  read_only("on");
  PostgresConnection late = Connection();
  const absl::Status refused = late.Connect();
  CHECK(refused.code() == absl::StatusCode::kUnavailable);
  // Of one that had been writable the statements are refused, and the session is given up.
  REQUIRE(early.Execute("SET default_transaction_read_only = on").ok());
  const auto write = early.Execute("CREATE TABLE nothing ()");
  CHECK(write.status().code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(write.status()) == kStoreReadOnly);
  CHECK_FALSE(early.connected());

  REQUIRE(superuser.Execute("SET default_transaction_read_only = off").ok());
  read_only("off");
  CHECK(late.Connect().ok());
}

TEST_CASE("A server that is away is unavailable until it is back") {
  test::PrivatePostgres server;
  PostgresConnection connection({.connection = server.connection()});
  REQUIRE(connection.Connect().ok());
  server.Crash();
  for (int time = 0; time < 2; ++time) {
    const auto rows = connection.Execute("SELECT 1");
    CHECK(rows.status().code() == absl::StatusCode::kUnavailable);
    CHECK(ReasonOf(rows.status()) == kStoreFailing);
  }
  server.Start();
  CHECK(connection.Execute("SELECT 1").ok());
}

TEST_CASE("A password comes from a file that is for its owner alone") {
  const test::TempDir directory;
  const std::string file = directory.File("password");
  std::ofstream(file) << "pa'ss \\word\n";
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  PostgresConnection connection = Connection({.password_file = file});
  CHECK(ReasonOf(connection.Connect()) == "FILE_EXPOSED");
  REQUIRE(::chmod(file.c_str(), 0600) == 0);
  CHECK(connection.Connect().ok());  // This server asks for none.
}

}  // namespace
}  // namespace kantoku::platform
