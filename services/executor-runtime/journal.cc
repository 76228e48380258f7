#include "services/executor-runtime/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::executor {

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, "cannot append to journal " + path);
  return std::unique_ptr<Journal>(new Journal(file));
}

Journal::~Journal() { close(file_); }

void Journal::Append(std::string_view word, const DispatchKey& key) {
  const std::string line =
      absl::StrCat(platform::ToAbsl(word), " ", key.task.ToString(), " ", key.dispatch, "\n");
  // A full disk must not stop tasks; the reader sees that a line is missing.
  [[maybe_unused]] const ssize_t written = write(file_, line.data(), line.size());
}

}  // namespace kantoku::executor
