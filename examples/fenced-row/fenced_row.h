#ifndef KANTOKU_EXAMPLES_FENCED_ROW_FENCED_ROW_H_
#define KANTOKU_EXAMPLES_FENCED_ROW_FENCED_ROW_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kantoku/executor.h"

namespace kantoku::examples {

// Rows of PostgreSQL that tasks write, each with its fence: the task and the dispatch that wrote it
// last. Neither an older dispatch of that task, which was frozen and wakes late, nor a task that
// was spawned before it replaces what is there. README.md says why.
//
// Thread-safe; each call has a connection of its own. UNAVAILABLE when the database cannot be
// reached, FAILED_PRECONDITION when it does not do what it is told.
class FencedRows {
 public:
  // As libpq takes it: "postgresql://lab@db.example/lab" or "host=/run/postgresql dbname=lab".
  explicit FencedRows(std::string database) : database_(std::move(database)) {}

  // Makes the table `readings` where there is none.
  absl::Status Prepare() const;

  // Whether the row has the value now; false: it has a newer writer's, and is as it was. May be
  // repeated.
  absl::StatusOr<bool> Write(std::string_view id, std::string_view value,
                             const platform::TaskId& task, uint32_t dispatch) const;

  // NOT_FOUND when there is no such row.
  absl::StatusOr<std::string> Read(std::string_view id) const;

 private:
  const std::string database_;
};

// Runs a task whose payload is "ID VALUE": writes the row under the task's fence. Its result is
// "written" or "superseded".
absl::StatusOr<executor::Result> WriteReading(executor::Context& task, const FencedRows& rows);

}  // namespace kantoku::examples

#endif  // KANTOKU_EXAMPLES_FENCED_ROW_FENCED_ROW_H_
