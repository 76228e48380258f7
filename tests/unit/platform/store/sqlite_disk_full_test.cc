#include <sys/mount.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>

#include "services/platform/status.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

constexpr RecordKind kThing = 1;

std::unique_ptr<RecordStore> OpenIn(const std::string& directory, size_t wal_bytes) {
  const StoreSchema schema{
      .component = "test", .format = 1, .kinds = {{.kind = kThing, .name = "thing"}}};
  const SqliteStoreOptions options{.directory = directory, .wal_bytes = wal_bytes};
  auto store = MakeSqliteRecordStoreFactory(schema, options)->Open(0);
  CAPTURE(store.status().ToString());
  REQUIRE(store.ok());
  return *std::move(store);
}

WriteBatch BatchOf(uint64_t number) {
  WriteBatch batch;
  batch.set_number(number);
  batch.Put(kThing, number, std::string(100'000, 'x'));
  return batch;
}

uint64_t Count(RecordStore& store) {
  uint64_t count = 0;
  CHECK(store.Scan({.kind = kThing}, [&](RecordKey, std::string_view) { ++count; }).ok());
  return count;
}

// Fills a store up until there is no room, makes room, and goes on.
template <typename MakeRoom>
void FillUpAndGoOn(const std::string& directory, MakeRoom make_room) {
  // A small log is full when it is copied into the database, a large one when it grows.
  const size_t wal_bytes = GENERATE(size_t{256} << 10, size_t{16} << 20);
  auto store = OpenIn(directory, wal_bytes);
  uint64_t number = 1;
  while (number < 1000 && store->Commit(BatchOf(number)).ok()) ++number;
  REQUIRE(number > 3);
  REQUIRE(number < 1000);

  for (int time = 0; time < 3; ++time) {
    const absl::Status full = store->Commit(BatchOf(number));
    CAPTURE(full.ToString());
    CHECK(full.code() == absl::StatusCode::kResourceExhausted);
    CHECK(ReasonOf(full) == "STORE_FULL");
    CHECK(*store->LastBatch() == number - 1);
    CHECK(Count(*store) == number - 1);
  }

  make_room();
  CHECK(store->Commit(BatchOf(number)).ok());
  CHECK(store->Commit(BatchOf(number + 1)).ok());
  CHECK(Count(*store) == number + 1);
  store.reset();
  CHECK(Count(*OpenIn(directory, wal_bytes)) == number + 1);
}

TEST_CASE("A full disk fails commits until there is room again") {
  test::TempDir directory;
  if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=3m") != 0) {
    WARN("no tmpfs may be mounted here (" << std::strerror(errno)
                                          << "); only the limit of a file's size is tested");
    return;
  }
  FillUpAndGoOn(directory.File("store"), [&] {
    REQUIRE(::mount("tmpfs", directory.path().c_str(), "tmpfs", MS_REMOUNT, "size=30m") == 0);
  });
  CHECK(::umount2(directory.path().c_str(), MNT_DETACH) == 0);
}

TEST_CASE("A file at the limit of its size fails commits until it may grow again") {
  test::TempDir directory;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{.rlim_cur = rlim_t{3} << 20, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  FillUpAndGoOn(directory.File("store"), [&] { REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
}

}  // namespace
}  // namespace kantoku::platform
