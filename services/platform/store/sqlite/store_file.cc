#include "services/platform/store/sqlite/store_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/directories.h"
#include "services/platform/sqlite/sqlite_database.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr uint32_t kLayout = 1;
constexpr uint32_t kApplication = 0x4b540000;  // "KT"
constexpr uint32_t kPageSize = 8192;

// Where https://www.sqlite.org/fileformat.html puts things; integers are big-endian.
constexpr size_t kHeaderSize = 100;
constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr size_t kPageSizeAt = 16;
constexpr size_t kPageCountAt = 28;
constexpr size_t kUserVersionAt = 60;
constexpr size_t kApplicationIdAt = 68;

uint32_t ApplicationId(const StoreSchema& schema) {
  uint32_t hash = 2166136261;  // FNV-1a, folded to 16 bits.
  for (const char c : schema.component) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619;
  return kApplication | ((hash >> 16) ^ (hash & 0xffff));
}

uint32_t UserVersion(const StoreSchema& schema) {
  KANTOKU_CHECK(schema.format <= UINT16_MAX);
  return kLayout << 16 | schema.format;
}

uint32_t LoadBigEndian(std::string_view header, size_t at, size_t size) {
  uint32_t value = 0;
  for (const char c : header.substr(at, size)) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

absl::Status Foreign(std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, kStoreForeign, why);
}

absl::Status Damaged(std::string_view why) {
  return Error(absl::StatusCode::kDataLoss, kStoreDamaged, absl::StrCat("damaged: ", ToAbsl(why)));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  const int fd_;
};

std::string WalOf(const std::string& path) { return absl::StrCat(path, "-wal"); }

bool HasWal(const std::string& path) {
  struct stat info {};
  return ::stat(WalOf(path).c_str(), &info) == 0 && info.st_size > 0;
}

absl::Status CheckIdentity(uint32_t application, uint32_t version, const StoreSchema& schema) {
  if (application >> 16 != kApplication >> 16) {
    return Foreign(absl::StrCat("an SQLite database of another program (application_id ",
                                application, "), and not touched"));
  }
  if (application != ApplicationId(schema)) {
    return Foreign(absl::StrCat("not a store of ", ToAbsl(schema.component),
                                " but of another component, and not touched"));
  }
  if (version > UserVersion(schema)) {
    return Error(absl::StatusCode::kFailedPrecondition, kStoreTooNew,
                 absl::StrCat("has format ", version >> 16, ".", version & UINT16_MAX,
                              ", and this program knows none above ", kLayout, ".", schema.format,
                              "; run a newer one"));
  }
  return absl::OkStatus();
}

// Everything that can be told from the first hundred bytes.
absl::Status CheckHeader(std::string_view header, uint64_t file_size, bool has_wal,
                         const StoreSchema& schema) {
  if (header.size() < kHeaderSize || !header.starts_with(kMagic)) {
    return Foreign("not an SQLite database, and not touched");
  }
  KANTOKU_RETURN_IF_ERROR(CheckIdentity(LoadBigEndian(header, kApplicationIdAt, 4),
                                        LoadBigEndian(header, kUserVersionAt, 4), schema));
  const uint32_t coded_page_size = LoadBigEndian(header, kPageSizeAt, 2);
  const uint64_t page_size = coded_page_size == 1 ? 65536 : coded_page_size;
  if (page_size < 512 || (page_size & (page_size - 1)) != 0) return Damaged("page size");
  // A checkpoint that was cut short leaves the file shorter than it says, and the log complete.
  if (!has_wal && file_size < LoadBigEndian(header, kPageCountAt, 4) * page_size) {
    return Damaged(absl::StrCat("cut off at ", file_size, " bytes"));
  }
  return absl::OkStatus();
}

// Reads what every commit depends on, without a trace.
absl::Status CheckTables(const std::string& path) {
  KANTOKU_ASSIGN_OR_RETURN(SqliteDatabase database,
                           SqliteDatabase::Open(path, SqliteDatabase::Mode::kImmutable));
  return database.QueryInteger("SELECT batch FROM partition_state WHERE id = 1").status();
}

std::string CreateSql(const StoreSchema& schema) {
  return absl::StrCat(
      "PRAGMA page_size=", kPageSize, ";",  // Before anything is written.
      "PRAGMA auto_vacuum=NONE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN;",
      "PRAGMA application_id=", ApplicationId(schema), ";",
      "CREATE TABLE partition_state (id INTEGER PRIMARY KEY CHECK (id = 1), component TEXT NOT "
      "NULL, epoch INTEGER NOT NULL, batch INTEGER NOT NULL);",
      "INSERT INTO partition_state VALUES (1, '", ToAbsl(schema.component), "', 0, 0);",
      UpgradeSql(schema, 0), "COMMIT;");
}

}  // namespace

bool StoreFileExists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

absl::Status CreateStoreFile(const std::string& path, const StoreSchema& schema) {
  const std::string unfinished = absl::StrCat(path, ".new");
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    ::unlink(absl::StrCat(unfinished, suffix).c_str());  // Of a creation that was cut short.
  }
  {
    const Descriptor file(unfinished, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!file.open()) return absl::ErrnoToStatus(errno, unfinished);
  }
  {
    KANTOKU_ASSIGN_OR_RETURN(SqliteDatabase database,
                             SqliteDatabase::Open(unfinished, SqliteDatabase::Mode::kReadWrite));
    KANTOKU_RETURN_IF_ERROR(database.Execute(CreateSql(schema)));
  }  // Closing moves everything from the log to the file.
  {
    const Descriptor file(unfinished, O_RDWR);
    if (!file.open() || ::fsync(file.get()) != 0) return absl::ErrnoToStatus(errno, unfinished);
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return absl::ErrnoToStatus(errno, path);
  return SyncDirectory(ParentOf(path));
}

absl::Status CheckStoreFile(const std::string& path, const StoreSchema& schema) {
  const bool has_wal = HasWal(path);
  {
    const Descriptor file(path, O_RDONLY);
    struct stat info {};
    if (!file.open() || ::fstat(file.get(), &info) != 0) return absl::ErrnoToStatus(errno, path);
    if (!S_ISREG(info.st_mode)) return Foreign("not a regular file");
    std::array<char, kHeaderSize> header;
    const ssize_t size = ::pread(file.get(), header.data(), header.size(), 0);
    if (size < 0) return absl::ErrnoToStatus(errno, path);
    KANTOKU_RETURN_IF_ERROR(CheckHeader({header.data(), static_cast<size_t>(size)},
                                        static_cast<uint64_t>(info.st_size), has_wal, schema));
  }
  // With a log, the file alone may be a mixture, and the log repairs it.
  return has_wal ? absl::OkStatus() : CheckTables(path);
}

std::string TableOf(const StoreSchema::Kind& kind) {
  KANTOKU_CHECK(!kind.name.empty() && std::all_of(kind.name.begin(), kind.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_';
  }));
  return absl::StrCat("records_", ToAbsl(kind.name));
}

absl::StatusOr<uint32_t> CheckStoreFormat(SqliteDatabase& database, const StoreSchema& schema) {
  KANTOKU_ASSIGN_OR_RETURN(const uint64_t application,
                           database.QueryInteger("PRAGMA application_id"));
  KANTOKU_ASSIGN_OR_RETURN(const uint64_t version, database.QueryInteger("PRAGMA user_version"));
  const auto format = static_cast<uint32_t>(version);
  KANTOKU_RETURN_IF_ERROR(CheckIdentity(static_cast<uint32_t>(application), format, schema));
  return format;
}

std::string UpgradeSql(const StoreSchema& schema, uint32_t format) {
  std::string sql;
  for (const StoreSchema::Kind& kind : schema.kinds) {
    absl::StrAppend(&sql, "CREATE TABLE IF NOT EXISTS ", TableOf(kind),
                    " (key INTEGER PRIMARY KEY, value BLOB NOT NULL);");
  }
  if (format < UserVersion(schema)) {
    absl::StrAppend(&sql, "PRAGMA user_version=", UserVersion(schema), ";");
  }
  return sql;
}

}  // namespace kantoku::platform
