#include "services/platform/postgres/postgres_status.h"

#include <catch2/catch.hpp>
#include <new>
#include <pqxx/except>
#include <string>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

using absl::StatusCode;

struct Row {
  std::string sqlstate;
  StatusCode status;
  std::string reason;
};

TEST_CASE("Every code of PostgreSQL becomes what its receiver can do") {
  const Row row = GENERATE(values<Row>({
      {"", StatusCode::kUnavailable, "STORE_FAILING"},       // The connection is lost.
      {"08006", StatusCode::kUnavailable, "STORE_FAILING"},  // connection_failure
      {"57P01", StatusCode::kUnavailable, "STORE_FAILING"},  // admin_shutdown
      {"57P02", StatusCode::kUnavailable, "STORE_FAILING"},  // crash_shutdown
      {"57P03", StatusCode::kUnavailable, "STORE_FAILING"},  // cannot_connect_now
      {"57P05", StatusCode::kUnavailable, "STORE_FAILING"},  // idle_session_timeout
      {"25P03", StatusCode::kUnavailable, "STORE_FAILING"},  // idle in transaction for too long
      {"58030", StatusCode::kUnavailable, "STORE_FAILING"},  // io_error
      {"25006", StatusCode::kUnavailable, "STORE_READ_ONLY"},
      {"40001", StatusCode::kUnavailable, "STORE_BUSY"},  // serialization_failure
      {"40P01", StatusCode::kUnavailable, "STORE_BUSY"},  // deadlock_detected
      {"40003", StatusCode::kUnavailable, "STORE_BUSY"},  // statement_completion_unknown
      {"55P03", StatusCode::kUnavailable, "STORE_BUSY"},  // lock_not_available
      {"57014", StatusCode::kUnavailable, "STORE_BUSY"},  // query_canceled, by a time-out, too
      {"53300", StatusCode::kUnavailable, "STORE_BUSY"},  // too_many_connections
      {"53400", StatusCode::kUnavailable, "STORE_BUSY"},  // configuration_limit_exceeded
      {"0A000", StatusCode::kUnavailable, "STORE_BUSY"},  // A cached plan of an older table.
      {"26000", StatusCode::kUnavailable, "STORE_BUSY"},  // No such prepared statement.
      {"53100", StatusCode::kResourceExhausted, "STORE_FULL"},
      {"53200", StatusCode::kResourceExhausted, "OUT_OF_MEMORY"},
      {"42501", StatusCode::kFailedPrecondition, "STORE_DENIED"},        // insufficient_privilege
      {"28P01", StatusCode::kFailedPrecondition, "STORE_DENIED"},        // invalid_password
      {"42P01", StatusCode::kFailedPrecondition, "STORE_NOT_MIGRATED"},  // undefined_table
      {"3F000", StatusCode::kFailedPrecondition, "STORE_NOT_MIGRATED"},  // invalid_schema_name
      {"42883", StatusCode::kFailedPrecondition, "STORE_NOT_MIGRATED"},  // undefined_function
      {"XX001", StatusCode::kDataLoss, "STORE_DAMAGED"},                 // data_corrupted
      {"XX002", StatusCode::kDataLoss, "STORE_DAMAGED"},                 // index_corrupted
      {"54000", StatusCode::kInvalidArgument, "VALUE_TOO_LARGE"},        // program_limit_exceeded
      {"23505", StatusCode::kInternal, "POSTGRES_MISUSED"},              // unique_violation
      {"42601", StatusCode::kInternal, "POSTGRES_MISUSED"},              // syntax_error
      {"XX000", StatusCode::kInternal, "POSTGRES_MISUSED"},              // internal_error
  }));
  CAPTURE(row.sqlstate);
  const absl::Status status = PostgresStatus(row.sqlstate, "ERROR:  what it said\nDETAIL: more");
  CHECK(status.code() == row.status);
  CHECK(ReasonOf(status) == row.reason);
  const std::string code = row.sqlstate.empty() ? "" : " (" + row.sqlstate + ")";
  CHECK(std::string(status.message()) == "postgres: what it said" + code);
}

template <typename Exception>
absl::Status StatusOf(const Exception& exception) {
  try {
    throw exception;
  } catch (...) {
    return PostgresStatusOfException();
  }
}

TEST_CASE("Every exception of libpqxx becomes what its receiver can do") {
  CHECK(ReasonOf(StatusOf(pqxx::broken_connection("gone"))) == "STORE_FAILING");
  CHECK(ReasonOf(StatusOf(pqxx::too_many_connections("many"))) == "STORE_BUSY");
  CHECK(ReasonOf(StatusOf(pqxx::serialization_failure("again"))) == "STORE_BUSY");
  CHECK(ReasonOf(StatusOf(pqxx::deadlock_detected("again"))) == "STORE_BUSY");
  CHECK(ReasonOf(StatusOf(pqxx::statement_completion_unknown("who knows"))) == "STORE_BUSY");
  CHECK(ReasonOf(StatusOf(pqxx::in_doubt_error("who knows"))) == "STORE_FAILING");
  CHECK(ReasonOf(StatusOf(pqxx::disk_full("full", "", "53100"))) == "STORE_FULL");
  CHECK(ReasonOf(StatusOf(pqxx::undefined_table("which", "", "42P01"))) == "STORE_NOT_MIGRATED");
  CHECK(ReasonOf(StatusOf(pqxx::sql_error("no code"))) == "STORE_FAILING");
  CHECK(ReasonOf(StatusOf(pqxx::usage_error("ours"))) == "POSTGRES_MISUSED");
  CHECK(ReasonOf(StatusOf(std::bad_alloc())) == "OUT_OF_MEMORY");
}

}  // namespace
}  // namespace kantoku::platform
