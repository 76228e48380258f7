#ifndef KANTOKU_SERVICES_PLATFORM_STATUS_H_
#define KANTOKU_SERVICES_PLATFORM_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kantoku::platform {

// A status for a caller: a code chosen by what the caller can do, a machine-readable reason (an
// upper-case word), and a message for people that names field, value and limit.
absl::Status Error(absl::StatusCode code, std::string_view reason, std::string_view message);

// The reason that Error put in; empty when there is none.
std::string ReasonOf(const absl::Status& status);

// Adds what was being done, keeping code and reason; reads outside-in: "spawn task 018f…: sqlite:
// disk is full". An OK status stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

// Debian's Abseil has a string_view of its own; these two are the only bridge.
std::string_view ToStd(absl::string_view text);
absl::string_view ToAbsl(std::string_view text);

}  // namespace kantoku::platform

// Returns from the enclosing function when `expression` is an error.
#define KANTOKU_RETURN_IF_ERROR(expression)                                 \
  do {                                                                      \
    if (absl::Status kantoku_status = (expression); !kantoku_status.ok()) { \
      return kantoku_status;                                                \
    }                                                                       \
  } while (false)

// Declares or assigns `target` from a StatusOr, or returns its error.
#define KANTOKU_ASSIGN_OR_RETURN(target, expression) \
  KANTOKU_ASSIGN_OR_RETURN_IMPL(KANTOKU_CONCAT(kantoku_or_, __LINE__), target, expression)
#define KANTOKU_ASSIGN_OR_RETURN_IMPL(holder, target, expression) \
  auto holder = (expression);                                     \
  if (!holder.ok()) return holder.status();                       \
  target = *std::move(holder)
#define KANTOKU_CONCAT(a, b) KANTOKU_CONCAT_IMPL(a, b)
#define KANTOKU_CONCAT_IMPL(a, b) a##b

#endif  // KANTOKU_SERVICES_PLATFORM_STATUS_H_
