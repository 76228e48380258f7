#include "services/inputs/task_token_rules.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

absl::Status Forbidden(std::string_view field) {
  return platform::Error(absl::StatusCode::kPermissionDenied, "TASK_TOKEN_FORBIDS",
                         absl::StrCat(platform::ToAbsl(field), ": is not for task tokens"));
}

// The first that there is.
std::string_view FieldOf(const TaskKeys& keys) {
  if (!keys.ordering.empty()) return "ordering_key";
  if (!keys.concurrency.empty()) return "concurrency_keys";
  return keys.rates.empty() ? "fairness_key" : "rate_keys";
}

}  // namespace

absl::Status ApplyTaskToken(const platform::ActingHandler& handler, TaskSpec& spec) {
  if (spec.parent.empty()) spec.parent = handler.task;
  if (spec.parent != handler.task) {
    return platform::Error(absl::StatusCode::kPermissionDenied, "TASK_TOKEN_PARENT",
                           absl::StrCat("parent_id: the task token is for children of task ",
                                        handler.task.ToString()));
  }
  if (spec.reuse_within_ms != 0) return Forbidden("reuse_within");
  return spec.keys == nullptr ? absl::OkStatus() : Forbidden(FieldOf(*spec.keys));
}

}  // namespace kantoku::inputs
