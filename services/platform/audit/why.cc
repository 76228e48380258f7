#include "services/platform/audit/why.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::platform {

absl::Status CheckWhy(std::string_view why) {
  constexpr size_t kMost = 256;
  if (why.size() <= kMost && IsPlainText(why)) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "BAD_WHY",
               absl::StrCat("why: ", why.size(), " bytes are no text of at most ", kMost,
                            " without control characters"));
}

}  // namespace kantoku::platform
