#include "services/executor-runtime/handler.h"

#include "absl/strings/cord.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

constexpr char kFinalPayload[] = "kantoku.executor/final";

}  // namespace

absl::Status FailFinally(std::string_view reason, std::string_view message) {
  absl::Status status = platform::Error(absl::StatusCode::kFailedPrecondition, reason, message);
  status.SetPayload(kFinalPayload, absl::Cord("1"));
  return status;
}

bool IsFinal(const absl::Status& status) { return status.GetPayload(kFinalPayload).has_value(); }

}  // namespace kantoku::executor
