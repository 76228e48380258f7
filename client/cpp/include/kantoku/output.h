#ifndef KANTOKU_OUTPUT_H_
#define KANTOKU_OUTPUT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "kantoku/task_id.h"

namespace kantoku {

// How a task ended.
enum class OutputStatus { kSucceeded, kFailed, kCancelled };

// Why a task, or one of its attempts, failed.
struct TaskError {
  std::string reason;   // For programs: HANDLER_FAILED, TIMEOUT, EXECUTOR_LOST, …; may be empty.
  std::string message;  // For people.
};

// The end of a task, for good.
struct Output {
  TaskId id;
  OutputStatus status = OutputStatus::kSucceeded;
  std::string data;          // What the handler returned; empty unless it succeeded.
  std::string content_type;  // Media type of `data`.
  TaskError error;           // Why, unless it succeeded.
  uint32_t dispatch = 0;     // The dispatch that ended it; 0 when it was never dispatched.
  absl::Time ended_at;       // When it became durable, by the server's clock.

  bool succeeded() const { return status == OutputStatus::kSucceeded; }
};

}  // namespace kantoku

#endif  // KANTOKU_OUTPUT_H_
