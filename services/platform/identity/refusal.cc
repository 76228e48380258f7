#include "services/platform/identity/refusal.h"

#include "absl/strings/cord.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Names a payload that is there, empty, in a status that is hidden.
constexpr char kHiddenPayload[] = "kantoku.hidden";
// The same, in one that was told elsewhere.
constexpr char kToldPayload[] = "kantoku.told";

}  // namespace

absl::Status Hidden(absl::Status status) {
  status.SetPayload(kHiddenPayload, absl::Cord());
  return status;
}

absl::Status ToldElsewhere(absl::Status status) {
  status.SetPayload(kToldPayload, absl::Cord());
  return status;
}

bool IsRefusal(const absl::Status& status) {
  if (status.GetPayload(kToldPayload).has_value()) return false;
  switch (status.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    case absl::StatusCode::kNotFound:
      return status.GetPayload(kHiddenPayload).has_value();
    case absl::StatusCode::kResourceExhausted:
      return ReasonOf(status) == "TOO_MANY_BAD_TOKENS";
    default:
      return false;
  }
}

}  // namespace kantoku::platform
