#include "services/platform/status.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace kantoku::platform {
namespace {

// Names the payload in which a status carries its reason.
constexpr char kReasonPayload[] = "kantoku.reason";

}  // namespace

absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message) {
  absl::Status status(code, ToAbsl(message));
  if (!reason.empty()) status.SetPayload(kReasonPayload, absl::Cord(ToAbsl(reason)));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const auto reason = status.GetPayload(kReasonPayload);
  return reason.has_value() ? std::string(*reason) : std::string();
}

absl::Status Annotate(const absl::Status& status, std::string_view context) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(ToAbsl(context), ": ", status.message()));
  status.ForEachPayload([&annotated](absl::string_view name, const absl::Cord& payload) {
    annotated.SetPayload(name, payload);
  });
  return annotated;
}

std::string_view ToStd(absl::string_view text) { return {text.data(), text.size()}; }

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace kantoku::platform
