#ifndef KANTOKU_STATUS_H_
#define KANTOKU_STATUS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "kantoku/task_id.h"

namespace kantoku {

// Statuses of this library carry a code that says what the caller can do, a message for people, and
// a reason for programs: an upper-case word such as PAYLOAD_TOO_LARGE, the server's or our own.
// Empty when there is none.
std::string ReasonOf(const absl::Status& status);

// The task that a status is about: with ALREADY_EXISTS from a spawn, the one that holds the
// reference. Empty when the status names none.
TaskId TaskIdOf(const absl::Status& status);

// With ABORTED from a patch of a task's info: the revision that there is. 0 when the status names
// none.
uint64_t RevisionOf(const absl::Status& status);

}  // namespace kantoku

#endif  // KANTOKU_STATUS_H_
