#include "services/inputs/engine/info.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

absl::StatusOr<Labels> MakeInfo(std::vector<Label> entries) {
  const auto refuse = [](std::string_view reason, std::string_view message) {
    return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
  };
  if (entries.size() > kMaxInfoEntries) {
    return refuse(kLabelLimit,
                  absl::StrCat(entries.size(), " entries exceed the limit of ", kMaxInfoEntries));
  }
  KANTOKU_ASSIGN_OR_RETURN(Labels labels, Labels::Make(std::move(entries)));
  size_t bytes = 0;
  for (const Label& label : labels) {
    bytes += label.name.size() + label.value.size();
    if (!label.name.starts_with(kServerInfoPrefix)) continue;
    return refuse(kBadLabel,
                  absl::StrCat("label \"", label.name, "\": names that begin with ",
                               platform::ToAbsl(kServerInfoPrefix), " are the server's"));
  }
  if (bytes > kMaxInfoBytes) {
    return refuse(
        kLabelLimit,
        absl::StrCat(bytes, " bytes of names and values exceed the limit of ", kMaxInfoBytes));
  }
  return labels;
}

size_t BytesOf(const Info& info) {
  constexpr size_t kFixed = 128;
  constexpr size_t kEntry = 80;
  size_t bytes = kFixed + info.context.size();
  for (const Label& label : info.labels) bytes += kEntry + label.name.size() + label.value.size();
  return bytes;
}

}  // namespace kantoku::inputs
