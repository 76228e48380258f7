#include "services/platform/whole_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "services/platform/directories.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxFileSize = size_t{16} << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  const int fd_;
};

absl::Status FromErrno(const std::string& path) { return absl::ErrnoToStatus(errno, path); }

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno(path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0 ? absl::OkStatus() : FromErrno(path);
}

// `name` is rename or link: how a finished file gets its name.
absl::Status Write(const std::string& path, std::string_view content,
                   int (*name)(const char*, const char*)) {
  // Never one that a crash, or another program, has left behind: mkostemp makes it anew, for us
  // only.
  std::string unfinished = path + ".new.XXXXXX";
  absl::Status status;
  {
    const FileDescriptor file(::mkostemp(unfinished.data(), O_CLOEXEC));
    if (!file.open()) return FromErrno(path);
    status = WriteAll(file.get(), content, path);
  }
  if (status.ok() && name(unfinished.c_str(), path.c_str()) != 0) status = FromErrno(path);
  ::unlink(unfinished.c_str());  // Is gone when it was renamed.
  if (!status.ok()) return status;
  return SyncDirectory(ParentOf(path));
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, mode_t forbidden) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return FromErrno(path);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return FromErrno(path);
  if (!S_ISREG(info.st_mode) || static_cast<size_t>(info.st_size) > kMaxFileSize) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_PLAIN_FILE",
                 absl::StrCat(path, ": is no plain file of at most ", kMaxFileSize, " bytes"));
  }
  if ((info.st_mode & forbidden) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "FILE_EXPOSED",
                 absl::StrCat(path, ": others have access to this secret; run chmod ",
                              (forbidden & S_IRWXG) != 0 ? "600" : "o=", " on it"));
  }
  if (forbidden == kForOwnerAlone && info.st_uid != ::geteuid()) {  // Read as root, then.
    return Error(absl::StatusCode::kFailedPrecondition, "FILE_EXPOSED",
                 absl::StrCat(path, ": this secret belongs to the user ", info.st_uid, ", not to ",
                              ::geteuid(), ", who runs this"));
  }
  std::string content(static_cast<size_t>(info.st_size), '\0');
  size_t size = 0;
  while (size < content.size()) {
    const ssize_t got = ::read(file.get(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(path);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  content.resize(size);
  return content;
}

absl::Status CreateWholeFile(const std::string& path, std::string_view content) {
  return Write(path, content, ::link);  // Which refuses to replace.
}

absl::Status ReplaceWholeFile(const std::string& path, std::string_view content) {
  return Write(path, content, ::rename);
}

}  // namespace kantoku::platform
