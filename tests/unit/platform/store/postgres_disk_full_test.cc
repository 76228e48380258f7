#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"
#include "tests/support/small_disk.h"
#include "tests/unit/platform/store/postgres_place.h"

namespace kantoku::platform {
namespace {

TEST_CASE("Without room on the disk of the tables commits wait for some") {
  if (::geteuid() != 0) {
    WARN("not done: PostgreSQL does not run as the root of a user namespace; as root it is");
    return;
  }
  const auto disk = test::SmallDisk::Make(16);
  CAPTURE(disk.status().ToString());
  REQUIRE(disk.ok());
  test::PrivatePostgres server({}, (*disk)->launcher());
  const std::string seen = (*disk)->seen_path();
  for (const std::string& way : {seen, seen + "/.."}) REQUIRE(::chmod(way.c_str(), 0711) == 0);
  REQUIRE(::mkdir((seen + "/tables").c_str(), 0700) == 0);
  server.MakeItsOwn(seen + "/tables");

  const PostgresPlace place(server);
  place.Ask("CREATE TABLESPACE small LOCATION '" + (*disk)->path() + "/tables'");
  place.Ask("ALTER DATABASE postgres SET default_tablespace = small");
  const auto store = place.Open();
  for (uint64_t number = 1; number <= 3; ++number) {
    REQUIRE(store->Commit(PostgresPlace::BatchOf(number, 100'000)).ok());
  }

  (*disk)->Fill();
  for (int time = 0; time < 3; ++time) {
    const absl::Status full = store->Commit(PostgresPlace::BatchOf(4, 1'000'000));
    CAPTURE(full.ToString());
    CHECK(full.code() == absl::StatusCode::kResourceExhausted);
    CHECK(ReasonOf(full) == kStoreFull);
    CHECK(*store->LastBatch() == 3);
    CHECK(PostgresPlace::Count(*store) == 3);
  }
  (*disk)->Free();
  CHECK(store->Commit(PostgresPlace::BatchOf(4, 1'000'000)).ok());
  CHECK(PostgresPlace::Count(*store) == 4);
}

}  // namespace
}  // namespace kantoku::platform
