#include "services/platform/store/postgres/postgres_record_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"
#include "services/platform/whole_file.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/platform/store/postgres_place.h"

namespace kantoku::platform {
namespace {

constexpr RecordKind kThing = PostgresPlace::kThing;

WriteBatch BatchOf(uint64_t number, size_t size = 100) {
  return PostgresPlace::BatchOf(number, size);
}

// Asks until the answer is true.
void Await(const PostgresPlace& place, const std::string& sql) {
  PostgresConnection connection = place.Connection();
  const absl::Time end = absl::Now() + test::kPatience;
  while (place.Ask(connection, sql).Text(0, 0) != "t") {
    CAPTURE(sql);
    REQUIRE(absl::Now() < end);
  }
}

std::string OfOwner(const PostgresPlace& place) {
  return "application_name = 'kantoku " + place.schema() + " test/0'";
}

void EndSessions(const PostgresPlace& place) {
  place.Ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + OfOwner(place));
}

// Somebody whose row is in the way of the commit of batch 1 until he lets go of it.
class Obstacle {
 public:
  explicit Obstacle(const PostgresPlace& place) : place_(place), session_(place.Connection()) {
    place.Ask(session_,
              "BEGIN; INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value)"
              " VALUES (0, 1, 1, 1, '')");
  }

  void AwaitSomebodyWaiting() const {
    Await(place_, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND " +
                      OfOwner(place_));
  }
  void Remove() { session_.Close(); }

 private:
  const PostgresPlace& place_;
  PostgresConnection session_;
};

TEST_CASE("Sessions that end between commits are made anew unnoticed") {
  const PostgresPlace place;
  const auto store = place.Open();
  for (uint64_t number = 1; number <= 3; ++number) {
    REQUIRE(store->Commit(BatchOf(number)).ok());
    EndSessions(place);
    CHECK(PostgresPlace::Count(*store) == number);
    EndSessions(place);
    CHECK(*store->LastBatch() == number);
    EndSessions(place);
  }
}

TEST_CASE("A commit whose session ends in the middle of it is done once") {
  const PostgresPlace place;
  const auto store = place.Open();
  Obstacle obstacle(place);
  absl::Status outcome;
  std::thread owner([&] { outcome = store->Commit(BatchOf(1)); });
  obstacle.AwaitSomebodyWaiting();
  EndSessions(place);
  obstacle.Remove();
  owner.join();
  CAPTURE(outcome.ToString());
  CHECK(outcome.ok());
  CHECK(PostgresPlace::Count(*store) == 1);
  CHECK(store->Commit(BatchOf(2)).ok());
}

TEST_CASE("Of two sessions of one owner the second finds the batch of the first done") {
  const PostgresPlace place;
  const auto store = place.Open();
  // As the server goes on with it when the connection was lost in the middle.
  PostgresConnection first = place.Connection();
  place.Ask(first,
            "BEGIN; SELECT {schema}.test_commit(0, " + std::to_string(store->epoch()) +
                ", 0, 1, '{}', '{}', '{}', '{}', '{}', '{1}', '{1}', ARRAY['x'::bytea], '')");
  absl::Status outcome;
  std::thread second([&] { outcome = store->Commit(BatchOf(1)); });
  Await(place, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND " +
                   OfOwner(place));
  place.Ask(first, "COMMIT");
  second.join();
  CAPTURE(outcome.ToString());
  CHECK(outcome.ok());
  CHECK(*store->LastBatch() == 1);
  CHECK(PostgresPlace::Count(*store) == 1);
  CHECK(place.Ask("SELECT count(*) FROM {schema}.test_record").Integer(0, 0) == 2);
}

TEST_CASE("A commit that takes too long is unavailable and may be repeated") {
  PostgresPlace place;
  place.options().statement_timeout = absl::Seconds(1);
  const auto store = place.Open();
  Obstacle obstacle(place);
  const absl::Status late = store->Commit(BatchOf(1));
  CHECK(late.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(late) == kStoreBusy);
  obstacle.Remove();
  CHECK(*store->LastBatch() == 0);
  CHECK(store->Commit(BatchOf(1)).ok());
  CHECK(PostgresPlace::Count(*store) == 1);
}

TEST_CASE("An owner that hangs in the middle of a commit is taken over, and is fenced") {
  PostgresPlace place;
  place.options().takeover_timeout = absl::Milliseconds(50);
  const auto old_owner = place.Open();
  Obstacle obstacle(place);
  absl::Status outcome;
  std::thread hanging([&] { outcome = old_owner->Commit(BatchOf(1)); });
  obstacle.AwaitSomebodyWaiting();

  const auto new_owner = place.Open();  // With the obstacle still there.
  CHECK(new_owner->epoch() > old_owner->epoch());
  hanging.join();
  CAPTURE(outcome.ToString());
  CHECK(outcome.code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(outcome) == kStoreFenced);
  obstacle.Remove();
  CHECK(*new_owner->LastBatch() == 0);
  CHECK(new_owner->Commit(BatchOf(1)).ok());
}

TEST_CASE("A partition that somebody else keeps locked is unavailable within a bound") {
  PostgresPlace place;
  place.options().takeover_timeout = absl::Milliseconds(50);
  auto owner = place.Open();
  PostgresConnection other = place.Connection();
  place.Ask(other, "BEGIN; SELECT * FROM {schema}.test_partition FOR UPDATE");
  const absl::Status status = place.TryOpen().status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(status) == kStoreBusy);
  other.Close();
  CHECK(owner->Commit(BatchOf(1)).ok());
  CHECK(place.TryOpen().ok());
}

TEST_CASE("A takeover ends no session of another role, whatever its name") {
  PostgresPlace place;
  place.options().takeover_timeout = absl::Milliseconds(50);
  place.Open().reset();
  const std::string role = place.schema() + "_other";
  place.Ask("CREATE ROLE " + role + " LOGIN; GRANT USAGE ON SCHEMA {schema} TO " + role +
            "; GRANT SELECT, UPDATE ON {schema}.test_partition TO " + role);
  PostgresConnection other({.connection = place.options().connection + " user=" + role,
                            .application_name = "kantoku " + place.schema() + " test/0"});
  place.Ask(other, "BEGIN; SELECT * FROM {schema}.test_partition FOR UPDATE");
  CHECK(ReasonOf(place.TryOpen().status()) == kStoreBusy);
  place.Ask(other, "COMMIT");
  CHECK(place.TryOpen().ok());
}

TEST_CASE("Of owners that open at once the last one commits and the others are fenced") {
  const PostgresPlace place;
  place.Open().reset();
  std::vector<absl::StatusOr<std::unique_ptr<RecordStore>>> stores(4);
  std::vector<std::thread> programs;
  programs.reserve(stores.size());
  for (auto& store : stores) programs.emplace_back([&] { store = place.TryOpen(); });
  for (std::thread& program : programs) program.join();
  uint64_t last_epoch = 0;
  for (const auto& store : stores) {
    if (store.ok()) last_epoch = std::max(last_epoch, (*store)->epoch());
  }
  int committed = 0;
  for (auto& store : stores) {
    const absl::Status status = store.ok() ? (*store)->Commit(BatchOf(1)) : store.status();
    CAPTURE(status.ToString());
    committed += status.ok() ? 1 : 0;
    CHECK(status.ok() == (store.ok() && (*store)->epoch() == last_epoch));
    if (!status.ok()) CHECK(ReasonOf(status) == kStoreFenced);
  }
  CHECK(committed == 1);
}

TEST_CASE("A server that crashes keeps what was committed") {
  test::PrivatePostgres server({"fsync=on"});
  const PostgresPlace place(server);
  const auto store = place.Open();
  for (uint64_t number = 1; number <= 20; ++number) {
    REQUIRE(store->Commit(BatchOf(number, 20'000)).ok());
    if (number % 5 != 0) continue;
    server.Crash();
    const absl::Status away = store->Commit(BatchOf(number + 1));
    CHECK(away.code() == absl::StatusCode::kUnavailable);
    CHECK(ReasonOf(away) == kStoreFailing);
    CHECK(store->LastBatch().status().code() == absl::StatusCode::kUnavailable);
    server.Start();
    CHECK(*store->LastBatch() == number);
    CHECK(PostgresPlace::Count(*store) == number);
  }
}

TEST_CASE("A server that is absent may come later") {
  test::PrivatePostgres server;
  server.Crash();
  const PostgresPlace place(server);
  const absl::Status absent = place.TryOpen().status();
  CHECK(absent.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(absent) == kStoreFailing);
  server.Start();
  CHECK(place.Open()->Commit(BatchOf(1)).ok());
}

TEST_CASE("While the server is a standby commits are unavailable") {
  test::PrivatePostgres server;
  const PostgresPlace place(server);
  const auto store = place.Open();
  REQUIRE(store->Commit(BatchOf(1)).ok());
  place.Ask("ALTER SYSTEM SET default_transaction_read_only = on");
  place.Ask("SELECT pg_reload_conf()");
  Await(place, "SELECT current_setting('default_transaction_read_only') = 'on'");
  EndSessions(place);
  CHECK(store->Commit(BatchOf(2)).code() == absl::StatusCode::kUnavailable);
  CHECK(place.TryOpen().status().code() == absl::StatusCode::kUnavailable);
  place.Ask("ALTER SYSTEM RESET default_transaction_read_only");
  place.Ask("SELECT pg_reload_conf()");
  Await(place, "SELECT current_setting('default_transaction_read_only') = 'off'");
  CHECK(store->Commit(BatchOf(2)).ok());
}

TEST_CASE("While the database is closed to its owner calls are unavailable") {
  const test::TempDir directory;
  PostgresPlace place;
  const std::string password = directory.File("password");
  REQUIRE(ReplaceWholeFile(password, "secret").ok());
  place.options().password_file = password;
  const auto store = place.Open();
  REQUIRE(store->Commit(BatchOf(1)).ok());
  const int way = GENERATE(0, 1, 2);
  CAPTURE(way);
  if (way == 0) REQUIRE(::chmod(password.c_str(), 0644) == 0);
  if (way == 1) REQUIRE(::unlink(password.c_str()) == 0);
  if (way == 2) place.Ask("ALTER SCHEMA {schema} RENAME TO away_{component}");
  EndSessions(place);
  const absl::Status commit = store->Commit(BatchOf(2));
  for (const absl::Status& status :
       {commit, store->LastBatch().status(),
        store->Scan({.kind = kThing}, [](RecordKey, std::string_view) {})}) {
    CAPTURE(status.ToString());
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK(ReasonOf(status) == kStoreFailing);
  }
  place.options().migrate = false;
  CHECK(place.TryOpen().status().code() != absl::StatusCode::kUnavailable);
  if (way == 2) place.Ask("ALTER SCHEMA away_{component} RENAME TO {schema}");
  REQUIRE(ReplaceWholeFile(password, "secret").ok());
  REQUIRE(::chmod(password.c_str(), 0600) == 0);
  CHECK(store->Commit(BatchOf(2)).ok());
  CHECK(PostgresPlace::Count(*store) == 2);
}

TEST_CASE("A database that has lost what it answered for is told from one that has not") {
  const PostgresPlace place;
  const auto store = place.Open();
  for (uint64_t number = 1; number <= 3; ++number) REQUIRE(store->Commit(BatchOf(number)).ok());
  // As a standby has it that had got the first two batches when it took over.
  place.Ask(
      "DELETE FROM {schema}.test_record WHERE batch = 3;"
      "INSERT INTO {schema}.test_record (partition, kind, key, batch, value)"
      " VALUES (0, -1, 0, 2, '')");
  const absl::Status status = store->Commit(BatchOf(4));
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(ReasonOf(status) == kStoreWentBack);
  CHECK(PostgresPlace::Count(*store) == 2);
  const auto again = place.Open();  // What there is, is sound.
  CHECK(*again->LastBatch() == 2);
  CHECK(again->Commit(BatchOf(3)).ok());
}

TEST_CASE("An epoch that a failover has lost is not given again") {
  const PostgresPlace place;
  const auto stranger = place.Open();
  // As a standby has it that had not heard of the stranger when it took over.
  place.Ask("UPDATE {schema}.test_partition SET epoch = epoch - 1");
  const auto owner = place.Open();
  CHECK(owner->epoch() > stranger->epoch());
  CHECK(owner->Commit(BatchOf(1)).ok());
  CHECK(ReasonOf(stranger->Commit(BatchOf(1))) == kStoreFenced);
}

TEST_CASE("Records of a newer format are refused and their owner stays") {
  const PostgresPlace place;
  auto newer = place.TryOpen(4);
  REQUIRE(newer.ok());
  const absl::Status status = place.TryOpen(3).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == kStoreTooNew);
  CHECK((*newer)->Commit(BatchOf(1)).ok());
}

TEST_CASE("Records of an older format are taken over with their format") {
  const PostgresPlace place;
  REQUIRE((*place.TryOpen(3))->Commit(BatchOf(1)).ok());
  auto newer = place.TryOpen(4);
  REQUIRE(newer.ok());
  CHECK(PostgresPlace::Count(**newer) == 1);
  CHECK(ReasonOf(place.TryOpen(3).status()) == kStoreTooNew);
}

TEST_CASE("A server that does not keep its word through a loss of power is warned of") {
  test::PrivatePostgres careless({"fsync=off", "full_page_writes=off"});
  test::PrivatePostgres careful({"fsync=on", "full_page_writes=on"});
  const auto warnings_of = [](test::PrivatePostgres& server) {
    PostgresPlace place(server);
    std::string warnings;
    place.options().warn = [&](std::string_view what) { warnings += what; };
    place.Open().reset();
    return warnings;
  };
  CHECK_THAT(warnings_of(careless), Catch::Contains("fsync = off"));
  CHECK_THAT(warnings_of(careless), Catch::Contains("full_page_writes = off"));
  CHECK(warnings_of(careful).empty());
}

TEST_CASE("A long scan sees one moment, in pieces") {
  const PostgresPlace place;
  const auto store = place.Open();
  constexpr uint64_t kCount = 20'000;
  WriteBatch batch;
  batch.set_number(1);
  for (uint64_t key = 0; key < kCount; ++key) {
    // Some pages are full of rows, some of bytes.
    batch.Put(kThing, key, std::string(key % 1000 == 7 ? 700'000 : 10, 'x'));
  }
  REQUIRE(store->Commit(batch).ok());
  const bool descending = GENERATE(false, true);
  const size_t limit = GENERATE(SIZE_MAX, 15'000);
  const uint64_t wanted = std::min<uint64_t>(kCount, limit);
  std::vector<RecordKey> keys;
  REQUIRE(store
              ->Scan({.kind = kThing, .limit = limit, .descending = descending},
                     [&](RecordKey key, std::string_view) {
                       if (keys.empty()) place.Ask("DELETE FROM {schema}.test_record");
                       keys.push_back(key);
                     })
              .ok());
  REQUIRE(keys.size() == wanted);
  for (uint64_t i = 0; i < wanted; ++i) {
    if (keys[i] != (descending ? kCount - 1 - i : i)) FAIL(i);
  }
  CHECK(PostgresPlace::Count(*store) == 0);
}

TEST_CASE("Where everything was deleted nobody looks, whoever opens the partition") {
  const PostgresPlace place;
  auto store = place.Open();
  const auto scan = [&] {
    const bool descending = GENERATE(false, true);
    std::vector<RecordKey> keys;
    CHECK(store
              ->Scan({.kind = kThing, .descending = descending},
                     [&](RecordKey key, std::string_view) { keys.push_back(key); })
              .ok());
    std::sort(keys.begin(), keys.end());
    return keys;
  };
  for (uint64_t number = 1; number <= 10; ++number) REQUIRE(store->Commit(BatchOf(number)).ok());
  WriteBatch gone;
  gone.set_number(11);
  gone.EraseRange(kThing, 0, 7);
  REQUIRE(store->Commit(gone).ok());
  // Rows in place of those that are deleted, and cost time whenever they are walked over.
  place.Ask(
      "INSERT INTO {schema}.test_record (partition, kind, key, batch, value)"
      " SELECT 0, 1, key, 1, '' FROM generate_series(1, 7) AS key");
  CHECK(scan() == std::vector<RecordKey>{8, 9, 10});
  store = place.Open();
  CHECK(scan() == std::vector<RecordKey>{8, 9, 10});

  WriteBatch below;  // Of whom there is something to see again.
  below.set_number(12);
  below.Put(kThing, 5, "x");
  place.Ask("DELETE FROM {schema}.test_record WHERE kind = 1 AND key <= 7");
  REQUIRE(store->Commit(below).ok());
  CHECK(scan() == std::vector<RecordKey>{5, 8, 9, 10});
  store = place.Open();
  CHECK(scan() == std::vector<RecordKey>{5, 8, 9, 10});
}

TEST_CASE("A scan sees all of a batch that begins below everything that there was, or nothing") {
  const PostgresPlace place;
  const auto store = place.Open();
  std::atomic<bool> is_done = false;
  std::atomic<bool> is_ok = true;
  std::thread owner([&] {
    for (uint64_t number = 1; number <= 3000; ++number) {
      const bool is_below = number % 2 == 1;
      WriteBatch batch;
      batch.set_number(number);
      if (is_below) batch.Put(kThing, 1, "x");
      if (!is_below) batch.EraseRange(kThing, 0, 50);
      batch.Put(kThing, 100, is_below ? "not alone" : "alone");
      if (!store->Commit(batch).ok()) is_ok = false;
    }
    is_done = true;
  });
  uint64_t torn = 0;
  while (!is_done) {
    bool is_alone = true;
    std::string said = "alone";
    const absl::Status scanned =
        store->Scan({.kind = kThing}, [&](RecordKey key, std::string_view value) {
          if (key == 1) is_alone = false;
          if (key == 100) said = std::string(value);
        });
    torn += scanned.ok() && (said == "alone") == is_alone ? 0 : 1;
  }
  owner.join();
  CHECK(is_ok);
  CHECK(torn == 0);
}

TEST_CASE("Where records were deleted out of order nobody looks after a while") {
  const PostgresPlace place;
  const auto store = place.Open();
  const auto commit = [&](uint64_t number, auto change) {
    WriteBatch batch;
    batch.set_number(number);
    change(batch);
    REQUIRE(store->Commit(batch).ok());
  };
  commit(1, [](WriteBatch& batch) {
    for (RecordKey key = 1; key <= 3; ++key) batch.Put(kThing, key, "x");
  });
  commit(2, [](WriteBatch& batch) { batch.Erase(kThing, 2); });
  commit(3, [](WriteBatch& batch) { batch.Erase(kThing, 1); });
  for (uint64_t number = 4; number <= 300; ++number) {
    commit(number, [](WriteBatch& batch) { batch.Put(kThing, 3, "y"); });
  }
  place.Ask(
      "INSERT INTO {schema}.test_record (partition, kind, key, batch, value)"
      " VALUES (0, 1, 2, 1, '')");
  CHECK(PostgresPlace::Count(*store) == 1);
}

TEST_CASE("Many keys are read in their order, in pieces") {
  const PostgresPlace place;
  const auto store = place.Open();
  WriteBatch batch;
  batch.set_number(1);
  for (uint64_t key = 0; key < 5000; key += 2) {
    batch.Put(kThing, key, std::string(key % 500 == 0 ? 700'000 : 10, 'x'));
  }
  REQUIRE(store->Commit(batch).ok());
  std::vector<RecordKey> keys;
  std::vector<RecordKey> expected;
  for (RecordKey key = 5000; key-- > 0;) {
    keys.push_back(key);
    if (key % 2 == 0) expected.push_back(key);
  }
  std::vector<RecordKey> found;
  REQUIRE(store
              ->Read({.kind = kThing, .keys = keys},
                     [&](RecordKey key, std::string_view) { found.push_back(key); })
              .ok());
  CHECK((found == expected));
}

}  // namespace
}  // namespace kantoku::platform
