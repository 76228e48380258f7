#include "services/platform/directories.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "services/platform/status.h"

namespace kantoku::platform {

std::string ParentOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

absl::StatusOr<bool> MakeDirectory(const std::string& path) {
  int made = ::mkdir(path.c_str(), 0700);
  if (made != 0 && errno == ENOENT && ParentOf(path) != path) {
    KANTOKU_RETURN_IF_ERROR(MakeDirectory(ParentOf(path)).status());
    made = ::mkdir(path.c_str(), 0700);
  }
  if (made != 0 && errno == EEXIST) return false;
  if (made != 0) return absl::ErrnoToStatus(errno, path);
  KANTOKU_RETURN_IF_ERROR(SyncDirectory(ParentOf(path)));
  return true;
}

std::string DefaultDataDir() {
  const auto from = [](const char* name) {
    const char* const value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (const std::string data = from("XDG_DATA_HOME"); !data.empty()) return data + "/kantoku";
  if (const std::string home = from("HOME"); !home.empty()) return home + "/.local/share/kantoku";
  return "kantoku-data";
}

absl::Status SyncDirectory(const std::string& path) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return absl::ErrnoToStatus(errno, path);
  const int error = ::fsync(directory) == 0 ? 0 : errno;
  ::close(directory);
  return error == 0 ? absl::OkStatus() : absl::ErrnoToStatus(error, path);
}

}  // namespace kantoku::platform
