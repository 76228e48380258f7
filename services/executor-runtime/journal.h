#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_JOURNAL_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_JOURNAL_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/executor-runtime/held_task.h"

namespace kantoku::executor {

// A file that says which handlers really ran: a line `start <task> <dispatch>` before and
// `end <task> <dispatch>` after each. Lines are appended whole, so that several executors can share
// a file and one that is killed leaves none half written.
//
// Thread-safe.
class Journal {
 public:
  // An error of the file system when `path` cannot be appended to.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void Start(const DispatchKey& key) { Append("start", key); }
  void End(const DispatchKey& key) { Append("end", key); }

 private:
  explicit Journal(int file) : file_(file) {}
  void Append(std::string_view word, const DispatchKey& key);

  const int file_;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_JOURNAL_H_
