// This program's own fsync and fdatasync stand before the system's, for SQLite as well: they count
// and can fail.
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>

#include "services/platform/status.h"
#include "services/platform/store/sqlite/sqlite_record_store.h"
#include "tests/support/temp_dir.h"

namespace {

// By path. Tests here have one thread.
std::map<std::string, int> syncs;
int fail_with = 0;

int Sync(int fd, long number) {
  char path[PATH_MAX] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), path, sizeof(path) - 1) > 0) ++syncs[path];
  if (fail_with != 0) {
    errno = fail_with;
    return -1;
  }
  return static_cast<int>(::syscall(number, fd));
}

}  // namespace

extern "C" int fsync(int fd) { return Sync(fd, SYS_fsync); }
extern "C" int fdatasync(int fd) { return Sync(fd, SYS_fdatasync); }

namespace kantoku::platform {
namespace {

constexpr RecordKind kThing = 1;

std::unique_ptr<RecordStore> OpenIn(const std::string& directory) {
  const StoreSchema schema{
      .component = "test", .format = 1, .kinds = {{.kind = kThing, .name = "thing"}}};
  auto store = MakeSqliteRecordStoreFactory(schema, {.directory = directory})->Open(0);
  REQUIRE(store.ok());
  return *std::move(store);
}

WriteBatch BatchOf(uint64_t number) {
  WriteBatch batch;
  batch.set_number(number);
  batch.Put(kThing, number, "value");
  return batch;
}

TEST_CASE("A commit is synced when it returns") {
  test::TempDir directory;
  auto store = OpenIn(directory.path());
  const std::string wal = directory.File("test-0.sqlite-wal");
  for (uint64_t number = 1; number <= 5; ++number) {
    const int before = syncs[wal];
    REQUIRE(store->Commit(BatchOf(number)).ok());
    CHECK(syncs[wal] > before);
  }
}

TEST_CASE("A new store's file, its name and its directory are synced when it is open") {
  test::TempDir top;
  const std::string directory = top.File("new");
  syncs.clear();
  OpenIn(directory);
  CHECK(syncs[directory + "/test-0.sqlite.new"] > 0);
  CHECK(syncs[directory] > 0);
  CHECK(syncs[top.path()] > 0);
}

TEST_CASE("A commit that could not be synced fails, and succeeds when repeated") {
  test::TempDir directory;
  auto store = OpenIn(directory.path());
  REQUIRE(store->Commit(BatchOf(1)).ok());
  fail_with = EIO;
  const absl::Status status = store->Commit(BatchOf(2));
  fail_with = 0;
  CHECK(ReasonOf(status) == "STORE_FAILING");
  CHECK(*store->LastBatch() == 1);
  CHECK(store->Commit(BatchOf(2)).ok());
  store.reset();
  CHECK(*OpenIn(directory.path())->LastBatch() == 2);
}

}  // namespace
}  // namespace kantoku::platform
