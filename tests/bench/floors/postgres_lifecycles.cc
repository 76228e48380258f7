#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <pqxx/pqxx>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/floors/floors.h"

namespace kantoku::floors {
namespace {

constexpr int64_t kLifecycles = 100'000;
constexpr int64_t kGroups[] = {500, 1'000, 2'000};
// As through SQLite; letters are their own text form, so that nothing is larger on the way.
constexpr size_t kTaskBytes = 150;
constexpr size_t kResultBytes = 100;
constexpr size_t kEndBytes = 50;

void Insert(pqxx::connection& database, const std::string& table, int64_t first, int64_t count,
            size_t bytes) {
  const std::string value(bytes, 'x');
  pqxx::work work(database);
  pqxx::stream_to rows(work, table);
  for (int64_t key = first; key < first + count; ++key) rows << std::make_tuple(key, value);
  rows.complete();
  work.commit();
}

// As the product does it: tasks are durable, then their results, then their ends, with which the
// tasks go.
void LiveGroup(pqxx::connection& database, int64_t first, int64_t count) {
  Insert(database, "task", first, count, kTaskBytes);
  Insert(database, "result", first, count, kResultBytes);
  pqxx::work work(database);
  work.exec_prepared0("end", first, std::string(static_cast<size_t>(count) * kEndBytes, 'x'));
  work.exec_prepared0("erase", first, first + count - 1);
  work.commit();
}

double Measure(pqxx::connection& database, int64_t group) {
  pqxx::nontransaction(database).exec("TRUNCATE task, result, ended");
  const absl::Time begin = absl::Now();
  for (int64_t first = 0; first < kLifecycles; first += group) LiveGroup(database, first, group);
  return static_cast<double>(kLifecycles) / absl::ToDoubleSeconds(absl::Now() - begin);
}

}  // namespace

absl::StatusOr<double> PostgresLifecycles(const std::string& connection) try {
  pqxx::connection database(connection);
  // Temporary tables are not logged, and so less durable than the product.
  const std::string schema = absl::StrCat("kantoku_floors_", getpid());
  const std::string drop = absl::StrCat("DROP SCHEMA IF EXISTS ", schema, " CASCADE");
  pqxx::nontransaction(database).exec(
      absl::StrCat("SET client_min_messages = warning; ", drop, "; CREATE SCHEMA ", schema,
                   "; SET search_path = ", schema,
                   "; CREATE TABLE task (key int8 PRIMARY KEY, value bytea NOT NULL)",
                   "; CREATE TABLE result (key int8 PRIMARY KEY, value bytea NOT NULL)",
                   "; CREATE TABLE ended (key int8 PRIMARY KEY, value bytea NOT NULL)"));
  database.prepare("end", "INSERT INTO ended VALUES ($1, $2::text::bytea)");
  database.prepare("erase", "DELETE FROM task WHERE key BETWEEN $1 AND $2");
  double best = 0;
  for (const int64_t group : kGroups) best = std::max(best, Measure(database, group));
  pqxx::nontransaction(database).exec(drop);
  return best;
} catch (const std::exception& error) {
  return absl::InternalError(absl::StrCat("postgres: ", error.what()));
}

}  // namespace kantoku::floors
