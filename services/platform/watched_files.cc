#include "services/platform/watched_files.h"

#include <cerrno>
#include <utility>

#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

int64_t Nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

WatchedFiles::Stamp WatchedFiles::StampOf(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return Stamp{.error = errno};
  return Stamp{.device = info.st_dev,
               .number = info.st_ino,
               .size = info.st_size,
               .written = Nanoseconds(info.st_mtim),
               .changed = Nanoseconds(info.st_ctim)};
}

absl::StatusOr<std::optional<std::vector<std::string>>> WatchedFiles::Look() {
  std::vector<Stamp> stamps;
  for (const File& file : files_) stamps.push_back(StampOf(file.path));
  if (stamps == read_) return std::nullopt;
  std::vector<std::string> contents;
  for (const File& file : files_) {
    auto content = ReadWholeFile(file.path, file.forbidden);
    if (!content.ok()) {
      if (stamps == failed_) return std::nullopt;
      failed_ = std::move(stamps);
      return content.status();
    }
    contents.push_back(*std::move(content));
  }
  read_ = std::move(stamps);
  failed_.clear();
  return contents;
}

}  // namespace kantoku::platform
