#include "services/platform/store/postgres/postgres_schema.h"

#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr char kList[] =
    "CREATE TABLE {schema}.kantoku_migration ("
    " component text, number int4, name text NOT NULL, applied timestamptz NOT NULL,"
    " PRIMARY KEY (component, number))";

std::string Literal(std::string_view text) { return PostgresLiteral(text); }

// What there is where our tables are looked for.
struct Found {
  bool schema = false;
  bool tables = false;  // Of whomever.
  bool list = false;    // Of migrations: then the schema is ours.
};

absl::StatusOr<Found> Look(PostgresConnection& connection, const PostgresTables& place) {
  const std::string name = Literal(place.schema);
  KANTOKU_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Execute(absl::StrCat(
          "SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = ", name, "),",
          "(SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
          "WHERE n.nspname = ",
          name, "),",
          "(SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
          "WHERE n.nspname = ",
          name, " AND c.relname = 'kantoku_migration')")));
  return Found{.schema = rows.Integer(0, 0) > 0,
               .tables = rows.Integer(0, 1) > 0,
               .list = rows.Integer(0, 2) > 0};
}

// The number of the last step that was applied; 0 when there is none.
absl::StatusOr<int> LastApplied(PostgresConnection& connection, const PostgresTables& place) {
  KANTOKU_ASSIGN_OR_RETURN(const Found found, Look(connection, place));
  if (!found.list && found.tables) {
    return Error(absl::StatusCode::kFailedPrecondition, kStoreForeign,
                 absl::StrCat("schema ", place.schema,
                              " holds tables of another program, and is not touched"));
  }
  if (!found.list) return 0;
  KANTOKU_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Execute(absl::StrCat(
          InPlace("SELECT coalesce(max(number), 0) FROM {schema}.kantoku_migration", place),
          " WHERE component = ", Literal(place.component))));
  return static_cast<int>(rows.Integer(0, 0));
}

bool Concerns(const PostgresMigration& step, const PostgresTables& place) {
  return step.component.empty() || step.component == place.component;
}

// The number of the last of `steps` that concerns the component.
int LastOf(std::span<const PostgresMigration> steps, const PostgresTables& place) {
  int last = 0;
  for (const PostgresMigration& step : steps) {
    if (Concerns(step, place)) last = step.number;
  }
  return last;
}

absl::Status CheckNotNewer(int applied, const PostgresTables& place,
                           std::span<const PostgresMigration> steps) {
  const int last = LastOf(steps, place);
  if (applied <= last) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition, kStoreTooNew,
      absl::StrCat("tables of ", place.component, " in schema ", place.schema, " have layout ",
                   applied, ", and this program knows none above ", last, "; run a newer one"));
}

absl::StatusOr<int> ApplyMissing(PostgresConnection& connection, const PostgresTables& place,
                                 std::span<const PostgresMigration> steps) {
  // Not before it is looked: creating asks for rights even where there is nothing to create.
  KANTOKU_RETURN_IF_ERROR(
      connection
          .Execute(absl::StrCat("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended(",
                                Literal(absl::StrCat("kantoku/", place.schema)), ", 0))"))
          .status());
  KANTOKU_ASSIGN_OR_RETURN(const int applied, LastApplied(connection, place));
  KANTOKU_RETURN_IF_ERROR(CheckNotNewer(applied, place, steps));
  KANTOKU_ASSIGN_OR_RETURN(const Found found, Look(connection, place));
  std::string sql;
  if (!found.schema) absl::StrAppend(&sql, InPlace("CREATE SCHEMA {schema};", place));
  if (!found.list) absl::StrAppend(&sql, InPlace(kList, place), ";");
  int missing = 0;
  for (const PostgresMigration& step : steps) {
    if (step.number <= applied || !Concerns(step, place)) continue;
    ++missing;
    absl::StrAppend(&sql, InPlace(step.sql, place), ";");
    absl::StrAppend(&sql, InPlace("INSERT INTO {schema}.kantoku_migration VALUES (", place),
                    Literal(place.component), ",", step.number, ",", Literal(step.name),
                    ", now());");
  }
  KANTOKU_RETURN_IF_ERROR(connection.Execute(absl::StrCat(sql, "COMMIT")).status());
  return missing;
}

std::string NameOf(const PostgresTables& place) {
  return absl::StrCat("schema ", place.schema, ", ", place.component);
}

}  // namespace

std::string InPlace(std::string_view sql, const PostgresTables& place) {
  return absl::StrReplaceAll(ToAbsl(sql), {{"{schema}", absl::StrCat("\"", place.schema, "\"")},
                                           {"{component}", place.component}});
}

absl::StatusOr<int> MigratePostgres(PostgresConnection& connection, const PostgresTables& place,
                                    std::span<const PostgresMigration> steps) {
  // Who may not create is not asked to, as long as there is nothing to do.
  const auto applied = LastApplied(connection, place);
  if (!applied.ok()) return Annotate(applied.status(), NameOf(place));
  if (*applied == LastOf(steps, place)) return 0;
  auto missing = ApplyMissing(connection, place, steps);
  if (missing.ok()) return missing;
  connection.Close();  // And with it the transaction.
  return Annotate(missing.status(), NameOf(place));
}

absl::Status CheckPostgresMigrated(PostgresConnection& connection, const PostgresTables& place,
                                   std::span<const PostgresMigration> steps) {
  KANTOKU_ASSIGN_OR_RETURN(const int applied, LastApplied(connection, place));
  KANTOKU_RETURN_IF_ERROR(CheckNotNewer(applied, place, steps));
  if (applied == LastOf(steps, place)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, kStoreNotMigrated,
               absl::StrCat(NameOf(place), ": ",
                            applied == 0 ? "there are no tables" : "the tables are of an older one",
                            "; run kantoku migrate, or set migrate_on_start"));
}

}  // namespace kantoku::platform
