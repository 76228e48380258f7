#include "kantoku/task_id.h"

#include <algorithm>

#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku {

absl::StatusOr<TaskId> TaskId::Parse(std::string_view text) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::TaskId id, platform::TaskId::Parse(text));
  return FromBytes(id.bytes());
}

absl::StatusOr<TaskId> TaskId::FromBytes(std::string_view bytes) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::TaskId checked, platform::TaskId::FromBytes(bytes));
  TaskId id;
  std::copy(checked.bytes().begin(), checked.bytes().end(), id.bytes_.begin());
  return id;
}

std::string TaskId::ToString() const { return platform::Uuid(bytes_).ToString(); }

}  // namespace kantoku
