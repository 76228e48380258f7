#include "services/platform/auth/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxFileSize = size_t{64} << 10;

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

absl::Status FromErrno(const std::string& path) { return absl::ErrnoToStatus(errno, ToAbsl(path)); }

absl::Status BadLine(int number, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEY_FILE",
               absl::StrCat("line ", number, ": ", ToAbsl(why)));
}

absl::StatusOr<MacKeys::Key> ParseLine(absl::string_view line, int number) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(':', 1));
  uint32_t id = 0;
  if (!absl::StrContains(line, ':') || !absl::SimpleAtoi(parts.first, &id) || id > UINT8_MAX) {
    return BadLine(number, "does not begin with a key id from 0 to 255 and a colon");
  }
  const auto is_hex = [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); };
  if (parts.second.size() % 2 != 0 ||
      !std::all_of(parts.second.begin(), parts.second.end(), is_hex)) {
    return BadLine(number, "the secret is not hexadecimal");
  }
  return MacKeys::Key{static_cast<uint8_t>(id), absl::HexStringToBytes(parts.second)};
}

absl::Status WriteAll(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FromErrno(path);
    content.remove_prefix(static_cast<size_t>(written));
  }
  return ::fsync(fd) == 0 ? absl::OkStatus() : FromErrno(path);
}

absl::Status WriteNewFile(const std::string& path, std::string_view content) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.open()) return FromErrno(path);
  return WriteAll(file.get(), content, path);
}

absl::Status SyncDirectoryOf(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  const FileDescriptor handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle.open() || ::fsync(handle.get()) != 0) return FromErrno(directory);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<MacKeys::Key>> ParseKeyLines(std::string_view text) {
  std::vector<MacKeys::Key> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    KANTOKU_ASSIGN_OR_RETURN(MacKeys::Key key, ParseLine(line, number));
    keys.push_back(std::move(key));
  }
  return keys;
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return FromErrno(path);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return FromErrno(path);
  if (!S_ISREG(info.st_mode) || static_cast<size_t>(info.st_size) > kMaxFileSize) {
    return Error(absl::StatusCode::kFailedPrecondition, "INVALID_KEY_FILE",
                 absl::StrCat(path, ": is no plain file of at most ", kMaxFileSize, " bytes"));
  }
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "KEY_FILE_EXPOSED",
                 absl::StrCat(path, ": others than its owner have access; run chmod 600 on it"));
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

absl::Status CreateSecretFile(const std::string& path, std::string_view content) {
  // A name of its own until it is whole: link() refuses to replace, so that of two programs which
  // start at once both use the file of the first.
  const std::string unfinished = absl::StrCat(path, ".new.", ::getpid());
  absl::Status status = WriteNewFile(unfinished, content);
  if (status.ok() && ::link(unfinished.c_str(), path.c_str()) != 0) status = FromErrno(path);
  ::unlink(unfinished.c_str());
  if (!status.ok()) return status;
  return SyncDirectoryOf(path);
}

}  // namespace kantoku::platform
