#include "services/platform/store/sqlite/sqlite_record_store.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "services/platform/sqlite/sqlite_database.h"
#include "services/platform/status.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

namespace fs = std::filesystem;

constexpr RecordKind kThing = 1;
constexpr RecordKind kOther = 2;

StoreSchema Schema() {
  return {.component = "test", .format = 3, .kinds = {{.kind = kThing, .name = "thing"}}};
}

WriteBatch BatchOf(uint64_t number, size_t size = 100) {
  WriteBatch batch;
  batch.set_number(number);
  batch.Put(kThing, number, std::string(size, 'x'));
  return batch;
}

absl::StatusOr<uint64_t> Count(RecordStore& store, RecordKind kind = kThing) {
  uint64_t count = 0;
  KANTOKU_RETURN_IF_ERROR(
      store.Scan({.kind = kind}, [&](RecordKey, std::string_view) { ++count; }));
  return count;
}

// A directory with the file of partition 0.
class Place {
 public:
  const std::string& directory() const { return directory_.path(); }
  std::string path() const { return directory_.File("test-0.sqlite"); }

  absl::StatusOr<std::unique_ptr<RecordStore>> TryOpen(const StoreSchema& schema = Schema(),
                                                       size_t wal_bytes = 1 << 20) const {
    return MakeSqliteRecordStoreFactory(schema, {.directory = directory(), .wal_bytes = wal_bytes})
        ->Open(0);
  }

  std::unique_ptr<RecordStore> Open(const StoreSchema& schema = Schema()) const {
    auto store = TryOpen(schema);
    CAPTURE(store.status().ToString());
    REQUIRE(store.ok());
    return *std::move(store);
  }

  // Makes a store of some pages, and closes it.
  void Fill() const {
    auto store = Open();
    for (uint64_t number = 1; number <= 50; ++number) {
      REQUIRE(store->Commit(BatchOf(number, 5000)).ok());
    }
  }

  void Write(const std::string& content) const { std::ofstream(path()) << content; }
  void Overwrite(std::streamoff at, const std::string& bytes) const {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << bytes;
  }

  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(directory())) {
      std::ostringstream content;
      content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      files[entry.path().filename()] = content.str();
    }
    return files;
  }

  // Opening must fail so, and leave every file as it is.
  void CheckRefused(absl::StatusCode code, const std::string& reason,
                    const std::string& says) const {
    const auto before = Files();
    const absl::Status status = TryOpen().status();
    CAPTURE(status.ToString());
    CHECK(status.code() == code);
    CHECK(ReasonOf(status) == reason);
    const std::string message(status.message());
    CHECK_THAT(message, Catch::StartsWith("test/0: " + path()));
    CHECK_THAT(message, Catch::Contains(says));
    CHECK(message.find('\n') == std::string::npos);
    CHECK((Files() == before));
  }

 private:
  test::TempDir directory_;
};

// ---- Files that are not served ----

TEST_CASE("A file that is no database is refused and left as it was") {
  const std::string content =
      GENERATE(values<std::string>({"", "short", std::string(10'000, 'x')}));
  Place place;
  place.Write(content);
  place.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FOREIGN",
                     "not an SQLite database");
}

TEST_CASE("A directory in the file's place is refused") {
  Place place;
  fs::create_directory(place.path());
  const absl::Status status = place.TryOpen().status();
  CHECK(ReasonOf(status) == "STORE_FOREIGN");
}

TEST_CASE("Another program's database is refused and left as it was") {
  Place place;
  place.Write("");
  REQUIRE(SqliteDatabase::Open(place.path(), SqliteDatabase::Mode::kReadWrite)
              ->Execute("PRAGMA journal_mode=WAL; PRAGMA application_id=77; CREATE TABLE t (a)")
              .ok());
  place.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FOREIGN",
                     "another program (application_id 77)");
}

TEST_CASE("Another component's store is refused and left as it was") {
  Place place;
  StoreSchema schema = Schema();
  schema.component = "tent";
  REQUIRE(place.TryOpen(schema).ok());
  fs::rename(fs::path(place.directory()) / "tent-0.sqlite", place.path());
  place.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FOREIGN", "another component");
}

TEST_CASE("A store of a newer format is refused and left as it was") {
  Place place;
  StoreSchema newer = Schema();
  newer.format = 4;
  place.Open(newer);
  place.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT_TOO_NEW",
                     "has format 1.4, and this program knows none above 1.3");
}

TEST_CASE("A store of a newer format with a log beside it is left as it was") {
  Place place;
  StoreSchema newer = Schema();
  newer.format = 4;
  Place crashed;
  {
    auto store = place.Open(newer);
    REQUIRE(store->Commit(BatchOf(1)).ok());
    fs::copy(place.directory(), crashed.directory());
  }
  REQUIRE(fs::file_size(crashed.path() + "-wal") > 0);
  crashed.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT_TOO_NEW", "1.4");
}

TEST_CASE("A store whose newer format only its log knows is refused and left as it was") {
  Place place;
  Place killed;
  StoreSchema newer = Schema();
  newer.format = 4;
  place.Fill();
  {
    auto store = place.Open(newer);  // Not checkpointed: the file itself still has format 3.
    REQUIRE(store->Commit(BatchOf(51)).ok());
    for (const char* suffix : {"", "-wal"}) {
      fs::copy(place.path() + suffix, killed.path() + suffix);
    }
  }
  const auto before = killed.Files();
  REQUIRE(before.at("test-0.sqlite").substr(60, 4) == std::string("\0\1\0\3", 4));
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = killed.TryOpen().status();
    CAPTURE(status.ToString());
    CHECK(ReasonOf(status) == "STORE_FORMAT_TOO_NEW");
    CHECK_THAT(std::string(status.message()), Catch::Contains("has format 1.4"));
  }
  for (const auto& [name, content] : before) CHECK((killed.Files().at(name) == content));
  CHECK(*killed.Open(newer)->LastBatch() == 51);
}

TEST_CASE("A store that was cut off is refused and left as it was") {
  Place place;
  place.Fill();
  fs::resize_file(place.path(), fs::file_size(place.path()) / 2);
  place.CheckRefused(absl::StatusCode::kDataLoss, "STORE_DAMAGED", "cut off");
}

TEST_CASE("A store with a damaged schema is refused and left as it was") {
  Place place;
  place.Fill();
  place.Overwrite(100, std::string(3000, '\xff'));
  place.CheckRefused(absl::StatusCode::kDataLoss, "STORE_DAMAGED", "sqlite: ");
}

TEST_CASE("A store with a damaged state is refused and left as it was") {
  Place place;
  place.Fill();
  place.Overwrite(8192, std::string(8192, '\xff'));  // The second page.
  place.CheckRefused(absl::StatusCode::kDataLoss, "STORE_DAMAGED", "sqlite: ");
}

TEST_CASE("Damage further inside is told by whoever meets it") {
  Place place;
  place.Fill();
  const auto size = static_cast<std::streamoff>(fs::file_size(place.path()));
  place.Overwrite(size / 2, std::string(static_cast<size_t>(size / 4), '\xff'));
  auto store = place.TryOpen();
  REQUIRE(store.ok());
  const absl::Status status = Count(**store).status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(ReasonOf(status) == "STORE_DAMAGED");
}

// ---- Formats ----

TEST_CASE("An older store gets the kinds that it lacks, and is closed to older programs") {
  Place place;
  StoreSchema newer = Schema();
  newer.format = 4;
  newer.kinds.push_back({.kind = kOther, .name = "other"});
  REQUIRE(place.Open()->Commit(BatchOf(1)).ok());
  {
    auto store = place.Open(newer);
    CHECK(*Count(*store) == 1);
    WriteBatch batch = BatchOf(2);
    batch.Put(kOther, 1, "other");
    REQUIRE(store->Commit(batch).ok());
    CHECK(*Count(*store, kOther) == 1);
  }
  place.CheckRefused(absl::StatusCode::kFailedPrecondition, "STORE_FORMAT_TOO_NEW", "1.4");
}

// ---- Files ----

TEST_CASE("Only their owner may read the files, and the directories that were missing") {
  test::TempDir top;
  const std::string directory = top.File("a/b/c");
  const mode_t umask_before = ::umask(0);
  auto store = MakeSqliteRecordStoreFactory(Schema(), {.directory = directory})->Open(0);
  ::umask(umask_before);
  REQUIRE(store.ok());
  REQUIRE((*store)->Commit(BatchOf(1)).ok());
  for (const auto& entry : fs::recursive_directory_iterator(top.path())) {
    CAPTURE(entry.path());
    const auto all = fs::perms::owner_all;
    const auto read_write = fs::perms::owner_read | fs::perms::owner_write;
    CHECK(entry.status().permissions() == (entry.is_directory() ? all : read_write));
  }
}

TEST_CASE("What is left of a creation that was cut short does not matter") {
  Place place;
  for (const char* suffix : {".new", ".new-wal", ".new-journal"}) {
    std::ofstream(place.path() + suffix) << "half";
  }
  auto store = place.Open();
  CHECK(store->Commit(BatchOf(1)).ok());
  CHECK_FALSE(fs::exists(place.path() + ".new"));
}

TEST_CASE("A directory that cannot be made is said in one line") {
  Place place;
  std::ofstream(place.directory() + "/file") << "";
  auto store =
      MakeSqliteRecordStoreFactory(Schema(), {.directory = place.directory() + "/file/sub"})
          ->Open(0);
  CAPTURE(store.status().ToString());
  CHECK_FALSE(store.ok());
  CHECK_THAT(std::string(store.status().message()), Catch::StartsWith("test/0: "));
}

TEST_CASE("The log does not grow with what was committed") {
  Place place;
  constexpr size_t kWalBytes = size_t{256} << 10;
  auto store = *place.TryOpen(Schema(), kWalBytes);
  for (uint64_t number = 1; number <= 200; ++number) {
    REQUIRE(store->Commit(BatchOf(number, 20'000)).ok());
    REQUIRE(Count(*store).ok());  // A reader that came and went does not hold it up.
  }
  CHECK(fs::file_size(place.path() + "-wal") < 2 * kWalBytes);
  CHECK(fs::file_size(place.path()) > 10 * kWalBytes);
}

TEST_CASE("The room of erased records is used again") {
  Place place;
  auto store = place.Open();
  uint64_t number = 0;
  const auto live_through = [&](int records) {
    for (int i = 0; i < records; ++i) {
      WriteBatch batch = BatchOf(++number, 5000);
      if (number > 10) batch.Erase(kThing, number - 10);
      REQUIRE(store->Commit(batch).ok());
    }
  };
  live_through(500);
  const auto size = fs::file_size(place.path());
  live_through(1000);
  CHECK(fs::file_size(place.path()) < size + size / 4);
}

// ---- Processes ----

TEST_CASE("Another factory finds a file in use until its store is closed") {
  Place place;
  auto store = place.Open();
  const absl::Status status = place.TryOpen().status();
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "STORE_IN_USE");
  CHECK_THAT(std::string(status.message()),
             Catch::Contains("in use by process " + std::to_string(::getpid())));
  CHECK(store->Commit(BatchOf(1)).ok());
  store.reset();
  CHECK(*place.Open()->LastBatch() == 1);
}

TEST_CASE("A process that was killed leaves its commits and no lock") {
  Place place;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    auto store = place.TryOpen();
    const bool good = store.ok() && (*store)->Commit(BatchOf(1)).ok();
    if (good && ::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  const absl::Status in_use = place.TryOpen().status();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(ReasonOf(in_use) == "STORE_IN_USE");
  CHECK_THAT(std::string(in_use.message()), Catch::Contains(std::to_string(child)));

  auto store = place.Open();
  CHECK(*store->LastBatch() == 1);
  CHECK(*Count(*store) == 1);
}

}  // namespace
}  // namespace kantoku::platform
