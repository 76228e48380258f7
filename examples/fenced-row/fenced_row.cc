#include "examples/fenced-row/fenced_row.h"

#include <cstdint>
#include <pqxx/pqxx>

namespace kantoku::examples {
namespace {

constexpr char kTable[] =
    "CREATE TABLE IF NOT EXISTS readings ("
    " id text PRIMARY KEY,"
    " value text NOT NULL,"
    " fence_task uuid NOT NULL,"
    " fence bigint NOT NULL)";

// One statement, which commits by itself: a process that is frozen holds no lock in the database,
// and whether the fence lets it through is decided while the row is locked. Ids of tasks grow with
// the time of their spawn, so the pairs are ordered across tasks, too.
constexpr char kWrite[] =
    "INSERT INTO readings (id, value, fence_task, fence) VALUES ($1, $2, $3, $4)"
    " ON CONFLICT (id) DO UPDATE"
    " SET value = EXCLUDED.value, fence_task = EXCLUDED.fence_task, fence = EXCLUDED.fence"
    " WHERE (readings.fence_task, readings.fence) <= (EXCLUDED.fence_task, EXCLUDED.fence)";

// Runs `work` with a connection; exceptions of the library end here.
template <typename Work>
absl::StatusOr<pqxx::result> Ask(const std::string& database, Work work) {
  try {
    pqxx::connection connection(database);
    pqxx::nontransaction statement(connection);
    return work(statement);
  } catch (const pqxx::broken_connection& error) {
    return absl::UnavailableError(error.what());
  } catch (const std::exception& error) {
    return absl::FailedPreconditionError(error.what());
  }
}

}  // namespace

absl::Status FencedRows::Prepare() const {
  return Ask(database_, [](auto& statement) { return statement.exec(kTable); }).status();
}

absl::StatusOr<bool> FencedRows::Write(std::string_view id, std::string_view value,
                                       const platform::TaskId& task, uint32_t dispatch) const {
  const auto result = Ask(database_, [&](auto& statement) {
    return statement.exec_params(kWrite, std::string(id), std::string(value), task.ToString(),
                                 int64_t{dispatch});
  });
  if (!result.ok()) return result.status();
  return result->affected_rows() == 1;
}

absl::StatusOr<std::string> FencedRows::Read(std::string_view id) const {
  const auto result = Ask(database_, [&](auto& statement) {
    return statement.exec_params("SELECT value FROM readings WHERE id = $1", std::string(id));
  });
  if (!result.ok()) return result.status();
  if (result->empty()) return absl::NotFoundError("there is no such row");
  return result->front().front().template as<std::string>();
}

absl::StatusOr<executor::Result> WriteReading(executor::Context& task, const FencedRows& rows) {
  const size_t space = task.payload().find(' ');
  if (space == std::string::npos) return absl::InvalidArgumentError("payload: wants ID VALUE");
  const std::string_view payload = task.payload();
  const auto is_written = rows.Write(payload.substr(0, space), payload.substr(space + 1),
                                     task.task_id(), task.dispatch());
  if (!is_written.ok()) return is_written.status();
  return executor::Result{.data = *is_written ? "written" : "superseded",
                          .content_type = "text/plain"};
}

}  // namespace kantoku::examples
