#include "tests/support/postgres_database.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "services/platform/postgres/postgres_connection.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

// Of nobody else on that server, whatever was left there.
std::string NewName() {
  std::random_device random;
  return absl::StrCat("test_", absl::Hex(random(), absl::kZeroPad8),
                      absl::Hex(random(), absl::kZeroPad8));
}

absl::Status Execute(const std::string& server, const std::string& sql) {
  return platform::PostgresConnection({.connection = server}).Execute(sql).status();
}

}  // namespace

PostgresDatabase::PostgresDatabase() {
  const char* const shared = std::getenv("KANTOKU_POSTGRES");
  if (shared == nullptr || *shared == '\0') {
    own_ = std::make_unique<PrivatePostgres>();
    connection_ = own_->connection();
    return;
  }
  server_ = shared;
  name_ = NewName();
  const absl::Status made = Execute(server_, "CREATE DATABASE " + name_);
  INFO(made.ToString());
  REQUIRE(made.ok());
  connection_ = server_ + " dbname=" + name_;  // Of two names libpq takes the latter.
}

// With a program's last one no test is running any more.
PostgresDatabase::~PostgresDatabase() {
  if (name_.empty()) return;
  const absl::Status dropped = Execute(server_, "DROP DATABASE " + name_ + " WITH (FORCE)");
  if (!dropped.ok()) std::cerr << name_ << " stays: " << dropped.ToString() << "\n";
}

}  // namespace kantoku::test
