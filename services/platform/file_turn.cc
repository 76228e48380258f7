#include "services/platform/file_turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace kantoku::platform {

absl::StatusOr<FileTurn> FileTurn::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  return FileTurn(fd);
}

FileTurn::~FileTurn() {
  if (fd_ >= 0) ::close(fd_);
}

bool FileTurn::Try() { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0; }

absl::Status FileTurn::Hold() {
  while (::flock(fd_, LOCK_EX) != 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "flock");
  }
  return absl::OkStatus();
}

}  // namespace kantoku::platform
