#ifndef KANTOKU_SERVICES_PLATFORM_WATCHED_FILES_H_
#define KANTOKU_SERVICES_PLATFORM_WATCHED_FILES_H_

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace kantoku::platform {

// Files that belong together and that others replace: certificates, keys.
//
// Thread-compatible.
class WatchedFiles {
 public:
  struct File {
    std::string path;
    mode_t forbidden = 0;  // As for ReadWholeFile.
  };

  explicit WatchedFiles(std::vector<File> files) : files_(std::move(files)) {}

  // Their contents, in this order, when one has changed since they were read last; they are read at
  // the first call. An error when they cannot be read, once for each change; they are tried again
  // at each call.
  absl::StatusOr<std::optional<std::vector<std::string>>> Look();

 private:
  // What differs when a file is another one or was written to.
  struct Stamp {
    int error = 0;
    dev_t device = 0;
    ino_t number = 0;
    off_t size = 0;
    int64_t written = 0;  // Nanoseconds.
    int64_t changed = 0;

    bool operator==(const Stamp&) const = default;
  };

  static Stamp StampOf(const std::string& path);

  const std::vector<File> files_;
  std::vector<Stamp> read_;    // When they were read last.
  std::vector<Stamp> failed_;  // When they could not be.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_WATCHED_FILES_H_
