#ifndef KANTOKU_SERVICES_PLATFORM_TLS_MEMORY_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_TLS_MEMORY_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform::tls {

// A file in memory, for libraries that want a path: whoever opens it sees one content, whole, as of
// a file that is replaced by renaming. Other processes do not see it, and nothing of it stays
// behind.
//
// Thread-compatible. The path is good for as long as the file lives, and may be another's later.
class MemoryFile {
 public:
  static absl::StatusOr<MemoryFile> Make();
  ~MemoryFile();
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;

  std::string path() const;
  // Nothing has changed after an error.
  absl::Status Replace(std::string_view content);

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}

  int fd_;  // What it is a descriptor of changes.
};

}  // namespace kantoku::platform::tls

#endif  // KANTOKU_SERVICES_PLATFORM_TLS_MEMORY_FILE_H_
