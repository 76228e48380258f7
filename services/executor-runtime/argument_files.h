#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_FILES_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_FILES_H_

#include <span>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "services/executor-runtime/handler.h"

namespace kantoku::executor {

// The arguments of a task as files for a command: in a directory of their own, which nobody else
// may look into, `0`, `1`, … hold the results, and `0.status`, … how their tasks ended: the word
// `succeeded`, `failed` or `cancelled` in the first line; of the latter two the reason in the
// second, and behind it the message. They go with this object.
//
// Thread-compatible.
class ArgumentFiles {
 public:
  // Below TMPDIR, or /tmp.
  static absl::StatusOr<ArgumentFiles> Make(std::span<const TaskArgument> arguments);
  ArgumentFiles(ArgumentFiles&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}
  ArgumentFiles& operator=(ArgumentFiles&& other) noexcept {
    std::swap(directory_, other.directory_);
    return *this;
  }
  ~ArgumentFiles();

  const std::string& directory() const { return directory_; }

 private:
  explicit ArgumentFiles(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;  // Empty: none.
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_FILES_H_
