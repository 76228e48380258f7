#include "services/executor-runtime/server_file.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/target.h"
#include "services/platform/status.h"

namespace kantoku::executor {

absl::StatusOr<ServerFile> ServerFile::Make(const ExecutorOptions& options) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::Access server,
                           platform::FindServer({.server = options.inputs_address,
                                                 .access_file = options.access_file,
                                                 .token = options.token,
                                                 .token_file = options.token_file,
                                                 .ca_file = options.ca_file},
                                                kDefaultAddress));
  const char* const temporary = std::getenv("TMPDIR");
  std::string directory = absl::StrCat(
      temporary == nullptr || *temporary == '\0' ? "/tmp" : temporary, "/kantoku-server-XXXXXX");
  if (mkdtemp(directory.data()) == nullptr) {  // Of mode 0700.
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", directory));
  }
  ServerFile file(std::move(directory));
  KANTOKU_RETURN_IF_ERROR(platform::CreateAccessFile(file.path(), server));
  return file;
}

ServerFile::~ServerFile() {
  std::error_code ignored;  // Somebody else may have cleaned up.
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

std::string ServerFile::path() const { return platform::AccessFileIn(directory_); }

}  // namespace kantoku::executor
