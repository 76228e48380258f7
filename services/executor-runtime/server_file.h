#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_SERVER_FILE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_SERVER_FILE_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "services/executor-runtime/executor.h"

namespace kantoku::executor {

// An access file (services/platform/access/access_file.h) for the commands of an executor: where
// its server is and why it is trusted, and nothing of who the executor is there. In a directory of
// its own of which nobody else can read, and which goes with this.
class ServerFile {
 public:
  static absl::StatusOr<ServerFile> Make(const ExecutorOptions& options);
  ServerFile(ServerFile&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}
  ServerFile& operator=(ServerFile&&) = delete;
  ~ServerFile();

  std::string path() const;

 private:
  explicit ServerFile(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_SERVER_FILE_H_
