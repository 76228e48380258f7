#include "services/platform/store/postgres/postgres_schema.h"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/status.h"
#include "services/platform/store/postgres/postgres_replica_directory.h"
#include "tests/unit/platform/store/postgres_place.h"

namespace kantoku::platform {
namespace {

using Steps = std::vector<PostgresMigration>;

// Fills the tables as a program did that knew no step above this one: "old" under 7, in batch 5.
constexpr const char* kFilledAsOf[] = {
    "INSERT INTO {schema}.{component}_partition VALUES (0, 9, 3, '', now());"
    "INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value)"
    " VALUES (0, 1, 7, 5, 'old'), (0, -1, 0, 5, '')",
    "INSERT INTO {schema}.{component}_partition VALUES (0, 9, 3, '', now());"
    "INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value)"
    " VALUES (0, 1, 7, 5, 'old'), (0, -1, 0, 5, '');"
    "SELECT {schema}.{component}_count(1)",
    "INSERT INTO {schema}.{component}_partition VALUES (0, 9, 3, '', now());"
    "INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value)"
    " VALUES (0, 1, 7, 5, 'old'), (0, -1, 0, 5, '');"
    "SELECT {schema}.{component}_count(1)",
};

// Of these steps, those that concern the component `test`.
constexpr int kConcerning = 2;

Steps Known(size_t count = PostgresMigrations().size()) {
  const auto all = PostgresMigrations();
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

Steps WithNext(std::string_view sql) {
  Steps steps = Known();
  steps.push_back({steps.back().number + 1, "planted", sql});
  return steps;
}

absl::StatusOr<int> Migrate(const PostgresPlace& place, const Steps& steps) {
  PostgresConnection connection = place.Connection();
  return MigratePostgres(connection, place.tables(), steps);
}

absl::Status Check(const PostgresPlace& place, const Steps& steps) {
  PostgresConnection connection = place.Connection();
  return CheckPostgresMigrated(connection, place.tables(), steps);
}

int64_t CountTables(const PostgresPlace& place) {
  return place.Ask("SELECT count(*) FROM pg_tables WHERE schemaname = '" + place.schema() + "'")
      .Integer(0, 0);
}

TEST_CASE("Steps between layouts are numbered from 1 on") {
  for (size_t i = 0; i < Known().size(); ++i) CHECK(Known()[i].number == static_cast<int>(i) + 1);
}

TEST_CASE("Tables are made once") {
  const PostgresPlace place;
  CHECK(*Migrate(place, Known()) == kConcerning);
  CHECK(Check(place, Known()).ok());
  CHECK(*Migrate(place, Known()) == 0);
  CHECK(place
            .Ask("SELECT string_agg(component || ' ' || name, ',' ORDER BY number)"
                 " FROM {schema}.kantoku_migration")
            .Text(0, 0) == "test records,test replicas");
}

TEST_CASE("Whatever layout a store has, migration keeps its records") {
  REQUIRE(std::size(kFilledAsOf) == Known().size());  // A new step needs its line there.
  for (size_t known = 1; known <= Known().size(); ++known) {
    CAPTURE(known);
    PostgresPlace place;
    REQUIRE(Migrate(place, Known(known)).ok());
    place.Ask(kFilledAsOf[known - 1]);
    const auto store = place.Open();
    CHECK(store->epoch() > 9);
    CHECK(*store->LastBatch() == 5);
    std::vector<std::string> found;
    REQUIRE(store
                ->Scan({.kind = PostgresPlace::kThing},
                       [&](RecordKey key, std::string_view value) {
                         found.push_back(std::to_string(key) + std::string(value));
                       })
                .ok());
    CHECK(found == std::vector<std::string>{"7old"});
    CHECK(store->Commit(PostgresPlace::BatchOf(6)).ok());
    // What is there is in one partition, and stays in it.
    CHECK(place.Ask("SELECT {schema}.{component}_count(0)").Integer(0, 0) == 1);
  }
}

TEST_CASE("A step that comes later finds the records of the layout before it") {
  const PostgresPlace place;
  REQUIRE(place.Open()->Commit(PostgresPlace::BatchOf(1)).ok());
  const Steps next = WithNext(
      "ALTER TABLE {schema}.{component}_record ADD COLUMN size int4;"
      "UPDATE {schema}.{component}_record SET size = octet_length(value)");
  CHECK(ReasonOf(Check(place, next)) == "STORE_NOT_MIGRATED");
  CHECK(*Migrate(place, next) == 1);
  CHECK(Check(place, next).ok());
  CHECK(place.Ask("SELECT max(size) FROM {schema}.test_record").Integer(0, 0) == 100);
}

TEST_CASE("A layout of a newer program is refused and left as it is") {
  const PostgresPlace place;
  const auto owner = place.Open();
  REQUIRE(Migrate(place, WithNext("CREATE TABLE {schema}.{component}_more ()")).ok());
  for (const absl::Status& status :
       {place.TryOpen().status(), Migrate(place, Known()).status(), Check(place, Known())}) {
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == "STORE_FORMAT_TOO_NEW");
  }
  CHECK(owner->Commit(PostgresPlace::BatchOf(1)).ok());  // Nobody has fenced it.
}

TEST_CASE("A step that fails leaves nothing of itself and of those before it") {
  const PostgresPlace place;
  CHECK_FALSE(Migrate(place, WithNext("CREATE TABLE {schema}.a (); SELECT 1 / 0")).ok());
  CHECK(CountTables(place) == 0);
  CHECK(*Migrate(place, Known()) == kConcerning);
}

TEST_CASE("A step that concerns another component leaves older programs of this one running") {
  const PostgresPlace place;
  const auto owner = place.Open();
  Steps newer = WithNext("SELECT 1 / 0");
  newer.back().component = "another";
  CHECK(*Migrate(place, newer) == 0);
  CHECK(Check(place, newer).ok());
  CHECK(Check(place, Known()).ok());
  // And the next one that does is applied behind it.
  newer.push_back({newer.back().number + 1, "planted", "CREATE TABLE {schema}.more ()"});
  CHECK(ReasonOf(Check(place, newer)) == "STORE_NOT_MIGRATED");
  CHECK(*Migrate(place, newer) == 1);
  CHECK(ReasonOf(Check(place, Known())) == "STORE_FORMAT_TOO_NEW");
}

TEST_CASE("Programs that migrate at once apply each step once") {
  const PostgresPlace place;
  constexpr size_t kPrograms = 4;
  std::vector<absl::StatusOr<int>> outcomes(kPrograms);
  std::vector<std::thread> programs;
  programs.reserve(kPrograms);
  for (auto& outcome : outcomes) {
    programs.emplace_back([&] { outcome = Migrate(place, Known()); });
  }
  for (std::thread& program : programs) program.join();
  int applied = 0;
  for (const auto& outcome : outcomes) {
    CAPTURE(outcome.status().ToString());
    REQUIRE(outcome.ok());
    applied += *outcome;
  }
  CHECK(applied == kConcerning);
}

TEST_CASE("A schema of another program is refused and left as it is") {
  const PostgresPlace place;
  place.Ask("CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs ()");
  for (const absl::Status& status :
       {place.TryOpen().status(), Migrate(place, Known()).status(), Check(place, Known())}) {
    CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(ReasonOf(status) == "STORE_FOREIGN");
  }
  CHECK(CountTables(place) == 1);
}

TEST_CASE("Without migration a store does not open, says what to do, and makes nothing") {
  PostgresPlace place;
  place.options().migrate = false;
  const absl::Status status = place.TryOpen().status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "STORE_NOT_MIGRATED");
  CHECK(std::string(status.message()).find("run kantoku migrate") != std::string::npos);
  CHECK(CountTables(place) == 0);
}

TEST_CASE("Tables that go while a program runs are not made anew, empty, by what it opens then") {
  const PostgresPlace place;
  const auto stores = MakePostgresRecordStoreFactory(PostgresPlace::Things(), place.options());
  REQUIRE(stores->Open(0).ok());
  place.Ask("DROP SCHEMA {schema} CASCADE");
  CHECK(ReasonOf(stores->Open(1).status()) == "STORE_NOT_MIGRATED");
  CHECK(CountTables(place) == 0);
}

TEST_CASE("What kept a program from making its tables is tried again when it opens another store") {
  const PostgresPlace place;
  place.Ask("CREATE SCHEMA {schema}; CREATE TABLE {schema}.theirs ()");
  const auto stores = MakePostgresRecordStoreFactory(PostgresPlace::Things(), place.options());
  CHECK(ReasonOf(stores->Open(0).status()) == "STORE_FOREIGN");
  place.Ask("DROP TABLE {schema}.theirs");
  CHECK(stores->Open(0).status().ToString() == "OK");
}

TEST_CASE("Who may not create tables can use those that another has made") {
  PostgresPlace place;
  const std::string role = place.schema() + "_user";
  place.Ask("CREATE ROLE " + role + " LOGIN");
  PostgresConnection user = place.Connection(" user=" + role);
  const auto refused = MigratePostgres(user, place.tables(), Known());
  CHECK(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(refused.status()) == "STORE_DENIED");

  REQUIRE(Migrate(place, Known()).ok());
  // The rights that services/platform/store/postgres/README.md asks for.
  place.Ask("GRANT USAGE ON SCHEMA {schema} TO " + role +
            "; GRANT SELECT ON {schema}.kantoku_migration TO " + role +
            "; GRANT SELECT, INSERT, UPDATE ON {schema}.test_partition TO " + role +
            "; GRANT SELECT, INSERT, DELETE ON {schema}.test_record TO " + role +
            "; GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.test_replica TO " + role +
            "; GRANT SELECT, INSERT, UPDATE ON {schema}.test_owner TO " + role +
            "; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC" +
            "; GRANT EXECUTE ON FUNCTION {schema}.test_commit, {schema}.test_count," +
            " {schema}.test_beat, {schema}.test_claim TO " + role);
  CHECK(*MigratePostgres(user, place.tables(), Known()) == 0);
  place.options().connection += " user=" + role;
  const auto store = place.Open();
  CHECK(store->Commit(PostgresPlace::BatchOf(1)).ok());
  CHECK(store->Commit(PostgresPlace::BatchOf(2)).ok());
  CHECK(PostgresPlace::Count(*store) == 2);

  place.options().migrate = false;
  const auto directory = MakePostgresReplicaDirectory(PostgresPlace::Things(), place.options());
  CHECK(directory->CountPartitions(0).status().ToString() == "OK");
  CHECK(directory->Beat({.id = "a", .address = "a:1"}, absl::Minutes(1)).status().ToString() ==
        "OK");
  CHECK(directory->Claim("a", 0).status().ToString() == "OK");
  CHECK(directory->Release("a", 0).ToString() == "OK");
  CHECK(directory->Leave("a").ToString() == "OK");
}

}  // namespace
}  // namespace kantoku::platform
