#include "services/platform/tls/memory_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kantoku::platform::tls {
namespace {

absl::StatusOr<int> NewFile() {
  const int fd = ::memfd_create("kantoku", MFD_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "a file in memory");
  return fd;
}

absl::Status WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return absl::ErrnoToStatus(errno, "a file in memory");
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<MemoryFile> MemoryFile::Make() {
  const auto fd = NewFile();
  if (!fd.ok()) return fd.status();
  return MemoryFile(*fd);
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string MemoryFile::path() const { return absl::StrCat("/proc/self/fd/", fd_); }

absl::Status MemoryFile::Replace(std::string_view content) {
  const auto next = NewFile();
  if (!next.ok()) return next.status();
  absl::Status status = WriteAll(*next, content);
  // From one moment to the next the path leads to the new file.
  if (status.ok() && ::dup3(*next, fd_, O_CLOEXEC) < 0) {
    status = absl::ErrnoToStatus(errno, "a file in memory");
  }
  ::close(*next);
  return status;
}

}  // namespace kantoku::platform::tls
