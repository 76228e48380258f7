#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHECKPOINT_FILE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHECKPOINT_FILE_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/executor-runtime/child_process.h"

namespace kantoku::executor {

// A file in a folder of its own by which a command leaves checkpoints: it holds the latest one when
// the command begins, and whatever is renamed to its name becomes the next. A file that is written
// in place is not taken: nobody can know when it is whole.
//
// Thread-compatible. The folder goes with its owner; when the process is killed it stays, in the
// system's folder for temporary files.
class CheckpointFile {
 public:
  // With `latest` in it; where that is empty there is no file yet.
  static absl::StatusOr<std::unique_ptr<CheckpointFile>> Make(const std::string& latest);
  ~CheckpointFile();
  CheckpointFile(const CheckpointFile&) = delete;
  CheckpointFile& operator=(const CheckpointFile&) = delete;

  const std::string& path() const { return path_; }
  // Becomes readable when Take may have something.
  int event() const { return watch_.get(); }
  // What was renamed to `path` since this was asked last, the latest alone, and no more of it than
  // `max_bytes` and one.
  std::optional<std::string> Take(size_t max_bytes);
  // Whether `path` was written in place, since this was asked last.
  bool TakeWrittenInPlace();

 private:
  CheckpointFile(std::string directory, File watch);

  const std::string directory_;
  const std::string path_;
  const File watch_;
  bool written_in_place_ = false;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHECKPOINT_FILE_H_
