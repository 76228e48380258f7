#include "services/platform/store/postgres/postgres_replica_directory.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "services/platform/status.h"
#include "tests/support/process.h"
#include "tests/unit/platform/store/postgres_place.h"

namespace kantoku::platform {
namespace {

const Replica kA{.id = "a", .address = "host-a:1"};
const Replica kB{.id = "b", .address = "host-b:1"};

// None of it passes while a test runs; what is to be over is aged.
constexpr absl::Duration kLease = absl::Hours(1);

std::unique_ptr<ReplicaDirectory> Connect(const PostgresPlace& place) {
  return MakePostgresReplicaDirectory(PostgresPlace::Things(), place.options());
}

// On tables that are there, of so many partitions.
std::unique_ptr<ReplicaDirectory> Connect(const PostgresPlace& place, uint32_t partitions) {
  auto directory = Connect(place);
  const auto count = directory->CountPartitions(partitions);
  CAPTURE(count.status().ToString());
  REQUIRE(count.ok());
  REQUIRE(*count == partitions);
  return directory;
}

ReplicaView Beat(ReplicaDirectory& directory, const Replica& self) {
  auto view = directory.Beat(self, kLease);
  CAPTURE(view.status().ToString());
  REQUIRE(view.ok());
  return *std::move(view);
}

bool Claim(ReplicaDirectory& directory, const Replica& self, uint32_t partition) {
  const auto claimed = directory.Claim(self.id, partition);
  CAPTURE(claimed.status().ToString());
  REQUIRE(claimed.ok());
  return *claimed;
}

// As if it had beaten for the last time so much earlier.
void Age(const PostgresPlace& place, const Replica& replica, const std::string& by) {
  place.Ask("UPDATE {schema}.{component}_replica SET expires = expires - interval '" + by +
            "' WHERE id = '" + replica.id + "'");
}

using Living = std::vector<Replica>;
using Owners = std::vector<std::string>;

TEST_CASE(
    "Replicas that beat see each other, in the order of their ids, and whose partitions are") {
  const PostgresPlace place;
  const auto a = Connect(place, 3);
  const auto b = Connect(place, 3);
  CHECK(Beat(*b, kB).living == Living{kB});
  CHECK(Beat(*a, kA).living == Living{kA, kB});
  CHECK(Claim(*a, kA, 1));
  CHECK(Claim(*b, kB, 2));
  const ReplicaView view = Beat(*b, kB);
  CHECK(view.living == Living{kA, kB});
  CHECK(view.owners == Owners{"", "a", "b"});
}

TEST_CASE("A replica that comes with another address is found there") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  CHECK(Beat(*a, {.id = "a", .address = "elsewhere:2"}).living[0].address == "elsewhere:2");
}

TEST_CASE("Whose lease is over by the clock of the database is dead, until it beats again") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  const auto b = Connect(place, 1);
  Beat(*a, kA);
  Beat(*b, kB);
  CHECK(Claim(*a, kA, 0));
  CHECK_FALSE(Claim(*b, kB, 0));

  Age(place, kA, "61 min");
  CHECK(Beat(*b, kB).living == Living{kB});
  CHECK(Beat(*b, kB).owners == Owners{"a"});
  CHECK(Claim(*b, kB, 0));

  CHECK(Beat(*a, kA).living == Living{kA, kB});
  CHECK_FALSE(Claim(*a, kA, 0));
}

TEST_CASE("What is one's own is claimed as often as one likes, and what there is not by nobody") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  CHECK(Claim(*a, kA, 0));
  CHECK(Claim(*a, kA, 0));
  CHECK_FALSE(Claim(*a, kA, 1));
}

TEST_CASE("Of two that claim at once one has it") {
  const PostgresPlace place;
  constexpr uint32_t kPartitions = 100;
  std::vector<std::string> had[2];
  const Replica* const replicas[] = {&kA, &kB};
  std::unique_ptr<ReplicaDirectory> directories[2];
  for (int i = 0; i < 2; ++i) {
    directories[i] = Connect(place, kPartitions);
    Beat(*directories[i], *replicas[i]);
  }
  std::vector<std::thread> threads;
  absl::Status failed[2];
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&, i] {
      for (uint32_t partition = 0; partition < kPartitions; ++partition) {
        const auto claimed = directories[i]->Claim(replicas[i]->id, partition);
        failed[i].Update(claimed.status());
        had[i].push_back(claimed.ok() && *claimed ? replicas[i]->id : "");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed[0].ToString() == "OK");
  CHECK(failed[1].ToString() == "OK");
  const Owners owners = Beat(*directories[0], kA).owners;
  for (uint32_t partition = 0; partition < kPartitions; ++partition) {
    CAPTURE(partition);
    CHECK(had[0][partition] + had[1][partition] == owners[partition]);
  }
}

TEST_CASE("Who waits to claim sees that the one before it has begun to live meanwhile") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  const auto b = Connect(place, 1);
  Beat(*b, kB);
  PostgresConnection first = place.Connection();
  place.Ask(first, "BEGIN; SELECT FROM {schema}.{component}_owner FOR UPDATE");
  absl::StatusOr<bool> claimed;
  std::thread claim([&] { claimed = b->Claim("b", 0); });
  const std::string waits =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
      " AND application_name = 'kantoku " +
      place.schema() + " test beat'";
  const absl::Time end = absl::Now() + test::kPatience;
  while (place.Ask(waits).Integer(0, 0) == 0 && absl::Now() < end) {
  }
  const auto view = a->Beat(kA, kLease);
  place.Ask(first, "UPDATE {schema}.{component}_owner SET replica = 'a'; COMMIT");
  claim.join();
  CHECK(view.ok());
  REQUIRE(claimed.ok());
  CHECK_FALSE(*claimed);
}

TEST_CASE("Only who has a partition releases it, once or more often") {
  const PostgresPlace place;
  const auto a = Connect(place, 2);
  const auto b = Connect(place, 2);
  Beat(*a, kA);
  Beat(*b, kB);
  CHECK(Claim(*a, kA, 0));
  CHECK(Claim(*a, kA, 1));
  CHECK(b->Release("b", 0).ok());
  CHECK(Beat(*a, kA).owners == Owners{"a", "a"});
  CHECK(a->Release("a", 0).ok());
  CHECK(a->Release("a", 0).ok());
  CHECK(Beat(*a, kA).owners == Owners{"", "a"});
}

TEST_CASE("Of who has left nothing is left") {
  const PostgresPlace place;
  const auto a = Connect(place, 2);
  const auto b = Connect(place, 2);
  Beat(*a, kA);
  Beat(*b, kB);
  CHECK(Claim(*a, kA, 0));
  CHECK(Claim(*b, kB, 1));
  CHECK(a->Leave("a").ok());
  CHECK(a->Leave("a").ok());
  const ReplicaView view = Beat(*b, kB);
  CHECK(view.living == Living{kB});
  CHECK(view.owners == Owners{"", "b"});
}

TEST_CASE("Rows of replicas that have been dead for a minute are cleared away") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  Beat(*a, kB);
  Beat(*a, {.id = "c"});
  Age(place, kB, "60 min 50 s");
  Age(place, {.id = "c"}, "61 min 10 s");
  Beat(*a, kA);
  CHECK(place.Ask("SELECT string_agg(id, ',' ORDER BY id) FROM {schema}.{component}_replica")
            .Text(0, 0) == "a,b");
}

TEST_CASE("A new component has eight partitions, or as many as are wanted, for good") {
  const PostgresPlace place;
  const uint32_t wanted = GENERATE(0, 3);
  CAPTURE(wanted);
  const uint32_t there = wanted == 0 ? 8 : wanted;
  const auto directory = Connect(place);
  CHECK(*directory->CountPartitions(wanted) == there);
  CHECK(*directory->CountPartitions(0) == there);
  CHECK(*directory->CountPartitions(there) == there);
  const absl::Status differs = directory->CountPartitions(5).status();
  CHECK(differs.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(differs) == "PARTITION_COUNT_DIFFERS");
  CHECK(Beat(*directory, kA).owners == Owners(there, ""));
}

TEST_CASE("A component that was there before there were replicas keeps its one partition") {
  const PostgresPlace place;
  (void)place.Open();
  const auto directory = Connect(place);
  CHECK(ReasonOf(directory->CountPartitions(8).status()) == "PARTITION_COUNT_DIFFERS");
  CHECK(*directory->CountPartitions(0) == 1);
}

TEST_CASE("Replicas that start at once agree on the number of partitions") {
  const PostgresPlace place;
  REQUIRE(MigratePostgresStore(PostgresPlace::Things(), place.options()).ok());
  std::vector<absl::StatusOr<uint32_t>> counts(4);
  std::vector<std::thread> replicas;
  for (size_t i = 0; i < counts.size(); ++i) {
    replicas.emplace_back([&, i] {
      const auto wanted = static_cast<uint32_t>(i) + 2;
      counts[i] = Connect(place)->CountPartitions(wanted);
    });
  }
  for (std::thread& replica : replicas) replica.join();
  const uint32_t there = *Connect(place)->CountPartitions(0);
  int agreed = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    CAPTURE(i, counts[i].status().ToString());
    if (counts[i].ok()) {
      ++agreed;
      CHECK(*counts[i] == there);
    } else {
      CHECK(ReasonOf(counts[i].status()) == "PARTITION_COUNT_DIFFERS");
    }
  }
  CHECK(agreed == 1);
}

TEST_CASE("Without its tables a directory says what to do, and makes nothing") {
  PostgresPlace place;
  place.options().migrate = false;
  const absl::Status status = Connect(place)->CountPartitions(0).status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "STORE_NOT_MIGRATED");
}

TEST_CASE("A directory whose server was killed is unavailable, and as it was with its successor") {
  test::PrivatePostgres server;
  const PostgresPlace place(server);
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  CHECK(Claim(*a, kA, 0));
  place.Ask("CHECKPOINT");  // A directory does not wait for its changes to be durable.
  server.Crash();
  CHECK(a->Beat(kA, kLease).status().code() == absl::StatusCode::kUnavailable);
  CHECK(a->Claim("a", 0).status().code() == absl::StatusCode::kUnavailable);
  CHECK(a->Release("a", 0).code() == absl::StatusCode::kUnavailable);
  CHECK(a->Leave("a").code() == absl::StatusCode::kUnavailable);
  server.Start();
  const ReplicaView view = Beat(*a, kA);
  CHECK(view.living == Living{kA});
  CHECK(view.owners == Owners{"a"});
}

TEST_CASE("A database that hangs is unavailable within a lease") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  PostgresConnection obstacle = place.Connection();
  place.Ask(obstacle, "BEGIN; LOCK TABLE {schema}.{component}_replica");
  const auto beaten = a->Beat(kA, kLease);
  CHECK(beaten.status().code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(beaten.status()) == "STORE_BUSY");
  place.Ask(obstacle, "ROLLBACK");
  CHECK(Beat(*a, kA).living == Living{kA});
}

TEST_CASE("A session of a directory says whose it is") {
  const PostgresPlace place;
  const auto a = Connect(place, 1);
  Beat(*a, kA);
  CHECK(place
            .Ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kantoku " +
                 place.schema() + " test beat'")
            .Integer(0, 0) == 1);
}

}  // namespace
}  // namespace kantoku::platform
