#include "services/platform/store/store_errors.h"

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

std::string PartitionName(std::string_view component, uint32_t partition) {
  return absl::StrCat(ToAbsl(component), "/", partition);
}

absl::Status FencedError() {
  return Error(absl::StatusCode::kAborted, kStoreFenced, "another owner has taken over");
}

absl::Status BatchOutOfOrderError(uint64_t number, uint64_t last) {
  return Error(absl::StatusCode::kFailedPrecondition, kBatchOutOfOrder,
               absl::StrCat("batch ", number, " comes after batch ", last));
}

}  // namespace kantoku::platform
