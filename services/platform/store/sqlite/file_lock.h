#ifndef KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_FILE_LOCK_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_FILE_LOCK_H_

#include <string>

#include "absl/status/statusor.h"

namespace kantoku::platform {

// An exclusive lock between processes, on a file beside the one it is about; ends with its holder,
// however that ends. The lock file stays and names the last holder.
//
// Not on the database itself: closing any descriptor of a file drops the locks that SQLite has on
// it in the same process.
//
// Thread-compatible.
class FileLock {
 public:
  // FAILED_PRECONDITION (STORE_IN_USE) when it is held already, here or in another process.
  static absl::StatusOr<FileLock> Take(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_SQLITE_FILE_LOCK_H_
