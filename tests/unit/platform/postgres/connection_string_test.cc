#include "services/platform/postgres/connection_string.h"

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

TEST_CASE("A connection string gets what it does not say, in both of libpq's forms") {
  const std::string connection =
      GENERATE("host=db user=me connect_timeout=3", "postgresql://me@db/?connect_timeout=3");
  const auto complete = CompleteConnectionString(
      connection, {{"connect_timeout", "9"}, {"keepalives", "1"}}, {{"user", "a b\\c'd"}});
  REQUIRE(complete.ok());
  CHECK(*complete == "connect_timeout='3' host='db' keepalives='1' user='a b\\\\c\\'d' ");
  CHECK(*CompleteConnectionString(*complete, {}, {}) == *complete);
}

TEST_CASE("A secret in a connection string is refused and not repeated") {
  for (const std::string connection :
       {"host=db password=secret", "postgresql://me:secret@db/x",
        "postgresql://db/x?password=secret", "host=db sslkey=k sslpassword=secret",
        "postgresql://db/x?sslpassword=secret"}) {
    const absl::Status status = CheckConnectionString(connection);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(ReasonOf(status) == "PASSWORD_EXPOSED");
    CHECK(status.ToString().find("secret") == std::string::npos);
  }
}

TEST_CASE("What libpq cannot read is not repeated, but for a word that it does not know") {
  for (const std::string connection :
       {"postgresql://me:secret@[::1/x", "postgresql://me:%secret@db/x",
        "postgresql://me@db:5432secret/x/?a=b", "host=db password='secret", "secret"}) {
    CAPTURE(connection);
    const absl::Status status = CheckConnectionString(connection);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(status.ToString().find("secret") == std::string::npos);
  }
  CHECK(CheckConnectionString("hots=db").message() ==
        "connection: invalid connection option \"hots\"");
}

TEST_CASE("What libpq cannot read is one line") {
  for (const std::string connection : {"host", "hots=db", "postgresql://[::1/x"}) {
    const absl::Status status = CheckConnectionString(connection);
    CHECK(ReasonOf(status) == "INVALID_CONNECTION_STRING");
    CHECK(status.message().find('\n') == absl::string_view::npos);
  }
  CHECK(CheckConnectionString("").ok());
}

TEST_CASE("A schema's name is a plain word of its own") {
  for (const std::string name : {"kantoku", "lab_2", "_x", "abcdefghijabcdefghijabcdefghij12"}) {
    CHECK(CheckPostgresSchemaName(name).ok());
  }
  for (const std::string name : {"", "Kantoku", "2lab", "a-b", "a b", "a\"; DROP TABLE b", "pg_x",
                                 "abcdefghijabcdefghijabcdefghij123"}) {
    CHECK(ReasonOf(CheckPostgresSchemaName(name)) == "INVALID_SCHEMA_NAME");
  }
}

}  // namespace
}  // namespace kantoku::platform
