#include "services/platform/postgres/postgres_status.h"

#include <new>
#include <pqxx/except>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

struct Row {
  std::string_view sqlstate;  // All of it, or its class; the first that fits counts.
  absl::StatusCode status;
  std::string_view reason;
};

using absl::StatusCode;

// https://www.postgresql.org/docs/current/errcodes-appendix.html
constexpr Row kTable[] = {
    {"0A000", StatusCode::kUnavailable, kStoreBusy},  // A plan is too old; made anew it is not.
    {"08", StatusCode::kUnavailable, kStoreFailing},
    {"25006", StatusCode::kUnavailable, kStoreReadOnly},  // A standby; the next one may be none.
    {"26000", StatusCode::kUnavailable, kStoreBusy},      // The statement is of another session.
    {"28", StatusCode::kFailedPrecondition, kStoreDenied},
    {"40", StatusCode::kUnavailable, kStoreBusy},  // Serialization, deadlock, unknown outcome.
    {"3F000", StatusCode::kFailedPrecondition, kStoreNotMigrated},
    {"42P01", StatusCode::kFailedPrecondition, kStoreNotMigrated},
    {"42883", StatusCode::kFailedPrecondition, kStoreNotMigrated},
    {"42501", StatusCode::kFailedPrecondition, kStoreDenied},
    {"53100", StatusCode::kResourceExhausted, kStoreFull},
    {"53200", StatusCode::kResourceExhausted, kOutOfMemory},
    {"53", StatusCode::kUnavailable, kStoreBusy},  // Too many connections and the like.
    {"54", StatusCode::kInvalidArgument, "VALUE_TOO_LARGE"},
    {"55P03", StatusCode::kUnavailable, kStoreBusy},  // A lock was not to be had.
    {"57014", StatusCode::kUnavailable,
     kStoreBusy},  // statement_timeout, or somebody cancelled it.
    {"57", StatusCode::kUnavailable, kStoreFailing},  // It shuts down, has crashed, or starts.
    {"25P03", StatusCode::kUnavailable, kStoreFailing},
    {"58", StatusCode::kUnavailable, kStoreFailing},
    {"XX001", StatusCode::kDataLoss, kStoreDamaged},
    {"XX002", StatusCode::kDataLoss, kStoreDamaged},
};

// "ERROR:  no room\nLINE 1: …" → "no room".
std::string Shortened(std::string_view message) {
  std::string_view line = message.substr(0, message.find('\n'));
  for (const std::string_view prefix : {"ERROR:", "FATAL:", "PANIC:"}) {
    if (line.starts_with(prefix)) line.remove_prefix(prefix.size());
  }
  return std::string(absl::StripAsciiWhitespace(ToAbsl(line)));
}

template <typename Class>
bool Is(const pqxx::sql_error& error) {
  return dynamic_cast<const Class*>(&error) != nullptr;
}

// libpqxx 6 forgets the codes that it has classes for.
std::string SqlstateOf(const pqxx::sql_error& error) {
  if (!error.sqlstate().empty()) return error.sqlstate();
  // The derived before their bases.
  if (Is<pqxx::disk_full>(error)) return "53100";
  if (Is<pqxx::out_of_memory>(error)) return "53200";
  if (Is<pqxx::insufficient_resources>(error)) return "53000";
  if (Is<pqxx::insufficient_privilege>(error)) return "42501";
  if (Is<pqxx::undefined_table>(error)) return "42P01";
  if (Is<pqxx::undefined_function>(error)) return "42883";
  if (Is<pqxx::syntax_error>(error)) return "42601";
  if (Is<pqxx::feature_not_supported>(error)) return "0A000";
  if (Is<pqxx::invalid_sql_statement_name>(error)) return "26000";
  if (Is<pqxx::unique_violation>(error)) return "23505";
  if (Is<pqxx::integrity_constraint_violation>(error)) return "23000";
  if (Is<pqxx::data_exception>(error)) return "22000";
  if (Is<pqxx::plpgsql_error>(error)) return "P0000";
  return "";  // Then it was not the server that spoke.
}

}  // namespace

absl::Status PostgresStatus(std::string_view sqlstate, std::string_view message) {
  if (sqlstate.empty()) {
    return Error(StatusCode::kUnavailable, kStoreFailing,
                 absl::StrCat("postgres: ", Shortened(message)));
  }
  const std::string text =
      absl::StrCat("postgres: ", Shortened(message), " (", ToAbsl(sqlstate), ")");
  for (const Row& row : kTable) {
    if (sqlstate.starts_with(row.sqlstate)) return Error(row.status, row.reason, text);
  }
  return Error(StatusCode::kInternal, "POSTGRES_MISUSED", text);
}

absl::Status PostgresStatusOfException() {
  try {
    throw;
  } catch (const pqxx::sql_error& error) {
    return PostgresStatus(SqlstateOf(error), error.what());
  } catch (const pqxx::too_many_connections& error) {  // These five have lost their code.
    return PostgresStatus("53300", error.what());
  } catch (const pqxx::broken_connection& error) {
    return PostgresStatus("", error.what());
  } catch (const pqxx::serialization_failure& error) {
    return PostgresStatus("40001", error.what());
  } catch (const pqxx::deadlock_detected& error) {
    return PostgresStatus("40P01", error.what());
  } catch (const pqxx::transaction_rollback& error) {
    return PostgresStatus("40000", error.what());
  } catch (const pqxx::in_doubt_error& error) {
    return PostgresStatus("", error.what());
  } catch (const std::bad_alloc&) {
    return Error(StatusCode::kResourceExhausted, kOutOfMemory, "postgres: out of memory");
  } catch (const std::exception& error) {
    return Error(StatusCode::kInternal, "POSTGRES_MISUSED",
                 absl::StrCat("postgres: ", error.what()));
  }
}

}  // namespace kantoku::platform
