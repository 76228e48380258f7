#include "tests/support/postgres_database.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "services/platform/postgres/postgres_connection.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

constexpr char kVariable[] = "KANTOKU_POSTGRES";

// Names a server for as long as it lives.
class Named {
 public:
  explicit Named(const std::string& server) { ::setenv(kVariable, server.c_str(), 1); }
  ~Named() {
    if (before_.has_value()) {
      ::setenv(kVariable, before_->c_str(), 1);
    } else {
      ::unsetenv(kVariable);
    }
  }

 private:
  static std::optional<std::string> Value() {
    const char* const value = std::getenv(kVariable);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  }

  const std::optional<std::string> before_ = Value();
};

int64_t Count(const std::string& connection, const std::string& of) {
  platform::PostgresConnection session({.connection = connection});
  const auto rows = session.Execute("SELECT count(*) FROM " + of);
  INFO(rows.status().ToString());
  REQUIRE(rows.ok());
  return rows->Integer(0, 0);
}

TEST_CASE("A database on a server that is named is empty, apart from others, and goes") {
  const PrivatePostgres server;
  const std::string databases = "pg_database WHERE datname <> 'postgres' AND NOT datistemplate";
  const std::string tables = "pg_tables WHERE schemaname = 'public'";
  const Named named(server.connection());
  std::optional<platform::PostgresConnection> session;
  {
    const PostgresDatabase one;
    const PostgresDatabase other;
    session.emplace(platform::PostgresOptions{.connection = one.connection()});
    REQUIRE(session->Execute("CREATE TABLE public.thing ()").ok());
    CHECK(Count(one.connection(), tables) == 1);
    CHECK(Count(other.connection(), tables) == 0);
    CHECK(Count(server.connection(), databases) == 2);
  }
  CHECK(session->connected());  // Whoever is still there goes as well.
  CHECK(Count(server.connection(), databases) == 0);
}

TEST_CASE("Where no server is named a database has one of its own") {
  const Named named("");
  const PostgresDatabase database;
  CHECK(Count(database.connection(), "pg_tables WHERE schemaname = 'public'") == 0);
}

}  // namespace
}  // namespace kantoku::test
