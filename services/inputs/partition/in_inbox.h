#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_IN_INBOX_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_IN_INBOX_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/types.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

// Of a task that was spawned by SQL and is just being admitted.
inline absl::Status InInbox(const TaskId& task) {
  return platform::Error(
      absl::StatusCode::kUnavailable, "IN_INBOX",
      absl::StrCat("task ", task.ToString(), " is about to be admitted; ask again"));
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_IN_INBOX_H_
