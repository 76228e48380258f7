#include "services/executor-runtime/checkpoint_file.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

constexpr std::string_view kName = "checkpoint";

absl::Status WriteFile(const std::string& path, std::string_view data) {
  const File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.open()) return absl::ErrnoToStatus(errno, "cannot make the checkpoint's file");
  while (!data.empty()) {
    const ssize_t count = write(file.get(), data.data(), data.size());
    if (count < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(errno, "cannot fill the checkpoint's file");
    }
    if (count > 0) data.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

std::optional<std::string> ReadFile(const std::string& path, size_t max_bytes) {
  // A command can put a pipe there, which must not hold us up.
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!file.open()) return std::nullopt;
  std::string data(max_bytes + 1, '\0');
  size_t size = 0;
  while (size < data.size()) {
    const ssize_t count = read(file.get(), data.data() + size, data.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  data.resize(size);
  return data;
}

}  // namespace

CheckpointFile::CheckpointFile(std::string directory, File watch)
    : directory_(std::move(directory)),
      path_(directory_ + "/" + std::string(kName)),
      watch_(std::move(watch)) {}

CheckpointFile::~CheckpointFile() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

absl::StatusOr<std::unique_ptr<CheckpointFile>> CheckpointFile::Make(const std::string& latest) {
  std::error_code error;
  const auto temporary = std::filesystem::temp_directory_path(error);
  std::string directory = (error ? "/tmp" : temporary.string()) + "/kantoku-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, "cannot make a folder for the checkpoint");
  }
  File watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  const int why = errno;
  std::unique_ptr<CheckpointFile> file(
      new CheckpointFile(std::move(directory), std::move(watch)));  // Removes it from now on.
  if (!file->watch_.open()) return absl::ErrnoToStatus(why, "cannot watch the checkpoint's file");
  if (!latest.empty()) KANTOKU_RETURN_IF_ERROR(WriteFile(file->path_, latest));
  if (inotify_add_watch(file->watch_.get(), file->directory_.c_str(),
                        IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
    return absl::ErrnoToStatus(errno, "cannot watch the checkpoint's file");
  }
  return file;
}

std::optional<std::string> CheckpointFile::Take(size_t max_bytes) {
  bool renamed = false;
  alignas(inotify_event) char buffer[4096];
  ssize_t count = 0;
  while ((count = read(watch_.get(), buffer, sizeof(buffer))) > 0) {
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof(event));
      // The name is filled up with zeros.
      const char* const name = buffer + at + sizeof(event);
      const bool ours = event.len > 0 && name == kName;
      renamed =
          renamed || (event.mask & IN_Q_OVERFLOW) != 0 || (ours && (event.mask & IN_MOVED_TO) != 0);
      written_in_place_ = written_in_place_ || (ours && (event.mask & IN_CLOSE_WRITE) != 0);
      at += static_cast<ssize_t>(sizeof(event) + event.len);
    }
  }
  if (!renamed) return std::nullopt;
  return ReadFile(path_, max_bytes);
}

bool CheckpointFile::TakeWrittenInPlace() { return std::exchange(written_in_place_, false); }

}  // namespace kantoku::executor
