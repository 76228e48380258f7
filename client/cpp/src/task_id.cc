#include "kantoku/task_id.h"

#include <algorithm>

#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku {

TaskId::TaskId(const platform::TaskId& id) {
  std::copy(id.bytes().begin(), id.bytes().end(), bytes_.begin());
}

absl::StatusOr<TaskId> TaskId::Parse(std::string_view text) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::TaskId id, platform::TaskId::Parse(text));
  return TaskId(id);
}

absl::StatusOr<TaskId> TaskId::FromBytes(std::string_view bytes) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::TaskId id, platform::TaskId::FromBytes(bytes));
  return TaskId(id);
}

std::string TaskId::ToString() const { return platform::Uuid(bytes_).ToString(); }

}  // namespace kantoku
