#include "kantoku/status.h"

#include "client/cpp/src/status_payloads.h"
#include "services/platform/status.h"

namespace kantoku {

std::string ReasonOf(const absl::Status& status) { return platform::ReasonOf(status); }

TaskId TaskIdOf(const absl::Status& status) {
  const auto text = status.GetPayload(internal::kTaskIdPayload);
  if (!text.has_value()) return {};
  return TaskId::Parse(std::string(*text)).value_or(TaskId());
}

}  // namespace kantoku
