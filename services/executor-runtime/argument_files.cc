#include "services/executor-runtime/argument_files.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace kantoku::executor {
namespace {

absl::Status Write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file.good() ? absl::OkStatus()
                     : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

std::string Describe(const TaskArgument& argument) {
  if (argument.status == ArgumentStatus::kSucceeded) return "succeeded\n";
  return absl::StrCat(argument.status == ArgumentStatus::kCancelled ? "cancelled" : "failed", "\n",
                      argument.reason, "\n", argument.message, "\n");
}

}  // namespace

absl::StatusOr<ArgumentFiles> ArgumentFiles::Make(std::span<const TaskArgument> arguments) {
  const char* const temporary = std::getenv("TMPDIR");
  std::string directory = absl::StrCat(
      temporary == nullptr || *temporary == '\0' ? "/tmp" : temporary, "/kantoku-arguments-XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) {  // Of mode 0700.
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", directory));
  }
  ArgumentFiles files(std::move(directory));
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string path = absl::StrCat(files.directory_, "/", i);
    absl::Status written = Write(path, arguments[i].data);
    if (written.ok()) written = Write(path + ".status", Describe(arguments[i]));
    if (!written.ok()) return written;
  }
  return files;
}

ArgumentFiles::~ArgumentFiles() {
  std::error_code ignored;  // Somebody else may have cleaned up.
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

}  // namespace kantoku::executor
