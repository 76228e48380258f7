#include "kantoku/status.h"

#include "absl/strings/numbers.h"
#include "client/cpp/src/status_payloads.h"
#include "services/platform/status.h"

namespace kantoku {

std::string ReasonOf(const absl::Status& status) { return platform::ReasonOf(status); }

TaskId TaskIdOf(const absl::Status& status) {
  const auto text = status.GetPayload(internal::kTaskIdPayload);
  if (!text.has_value()) return {};
  return TaskId::Parse(std::string(*text)).value_or(TaskId());
}

uint64_t RevisionOf(const absl::Status& status) {
  const auto text = status.GetPayload(internal::kRevisionPayload);
  uint64_t revision = 0;
  return text.has_value() && absl::SimpleAtoi(std::string(*text), &revision) ? revision : 0;
}

}  // namespace kantoku
