#include "services/inputs/partition/spawn_refusal.h"

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// What there is no room for, of which bound.
std::string_view BoundOf(std::string_view refusal) {
  if (refusal == QuotaBook::kNamespaceTasks) return "namespace: as many tasks of it as may be wait";
  if (refusal == QuotaBook::kNamespaceBytes) return "namespace: tasks of it have too many bytes";
  if (refusal == QuotaBook::kTypeTasks) return "type: as many tasks of it as may be wait";
  return refusal == QuotaBook::kTypeBytes ? "type: tasks of it have too many bytes" : "";
}

// Why an item was not taken.
absl::Status StatusOf(const SpawnOutcome::Item& item) {
  if (item.refusal == SpawnOutcome::kDependencyUnknown) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, item.refusal,
                           "dependencies: there is no such task, and no result of one is kept");
  }
  if (item.refusal == SpawnOutcome::kDependencyRefused) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, item.refusal,
                           "dependencies: a task of the call that it depends on is refused");
  }
  if (item.refusal == SpawnOutcome::kNoSuchLimit) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, item.refusal,
                           item.about.empty()
                               ? "there was no limit for one of its keys, and the spec makes none"
                               : item.about);
  }
  if (item.refusal == SpawnOutcome::kCostExceedsBurst) {
    return platform::Error(
        absl::StatusCode::kInvalidArgument, item.refusal,
        item.about.empty() ? "rate_keys.cost: exceeded the burst of its rate" : item.about);
  }
  if (const auto bound = BoundOf(item.refusal); !bound.empty()) {
    return platform::Error(absl::StatusCode::kResourceExhausted, item.refusal,
                           absl::StrCat(platform::ToAbsl(bound), "; spawn it again later"));
  }
  if (item.refusal == SpawnOutcome::kTokenContext) {
    return platform::Error(absl::StatusCode::kPermissionDenied, item.refusal,
                           "context_id: is not that of the task whose task token is shown");
  }
  if (item.refusal == SpawnOutcome::kRootMismatch) {
    return platform::Error(absl::StatusCode::kInvalidArgument, item.refusal,
                           "root_id: the parent belongs to another tree");
  }
  return platform::Error(absl::StatusCode::kFailedPrecondition, item.refusal,
                         item.refusal == SpawnOutcome::kTreeStopping
                             ? "parent_id: the parent or its tree is being stopped"
                             : "parent_id: no such task lives, and no tree of root_id either");
}

}  // namespace

absl::Status RefusalOf(const SpawnOutcome::Item& item) {
  if (!item.refusal.empty()) return StatusOf(item);
  if (item.conflict.empty()) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kAlreadyExists, "REFERENCE_TAKEN",
                         absl::StrCat("reference: belongs to task ", item.id.ToString(), ", whose ",
                                      platform::ToAbsl(item.conflict), " is another"));
}

}  // namespace kantoku::inputs
