#include "services/platform/server/data_dir.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "services/platform/directories.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

absl::Status Unusable(const std::string& path, std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "DATA_DIR",
               absl::StrCat("server.data_dir: ", path, ": ", ToAbsl(why)));
}

}  // namespace

absl::StatusOr<bool> PrepareDataDir(const std::string& path) {
  const std::filesystem::path directory(path);
  std::error_code error;
  const auto made = MakeDirectory(path);
  if (!made.ok()) {
    // It names the directory that could not be made, which may be one above.
    const absl::string_view why =
        absl::StripPrefix(made.status().message(), absl::StrCat(path, ": "));
    return Unusable(path, absl::StrCat("cannot be made: ", why));
  }
  if (!std::filesystem::is_directory(directory, error)) return Unusable(path, "is no directory");
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    return Unusable(path, absl::StrCat("cannot be written to: ", std::strerror(errno)));
  }
  return *made;
}

}  // namespace kantoku::platform
