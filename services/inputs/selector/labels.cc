#include "services/inputs/selector/labels.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/selector/excerpt.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {

using platform::ToAbsl;

namespace {

constexpr size_t kShownBytes = 40;

absl::Status Refused(std::string_view reason, std::string_view name, std::string_view why) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason,
                         absl::StrCat("label \"", Excerpt(name, kShownBytes), "\": ", ToAbsl(why)));
}

absl::Status TooLong(std::string_view name, std::string_view what, size_t size, size_t limit) {
  return Refused(kLabelLimit, name,
                 absl::StrCat(size, " bytes of ", ToAbsl(what), " exceed the limit of ", limit));
}

absl::Status Check(const Label& label) {
  const std::string& name = label.name;
  if (name.size() > kMaxLabelNameBytes) {
    return TooLong(name, "its name", name.size(), kMaxLabelNameBytes);
  }
  if (name.empty() || !BeginsLabelName(name[0]) ||
      !std::all_of(name.begin(), name.end(), IsLabelNameCharacter)) {
    return Refused(kBadLabel, name,
                   "a name begins with a letter or _ and holds letters, digits and _ . - / only");
  }
  if (label.value.size() > kMaxLabelValueBytes) {
    return TooLong(name, "its value", label.value.size(), kMaxLabelValueBytes);
  }
  if (!platform::IsPlainText(label.value)) {
    return Refused(kBadLabel, name,
                   absl::StrCat("its value \"", Excerpt(label.value, kShownBytes),
                                "\" is no UTF-8 without control characters"));
  }
  return absl::OkStatus();
}

}  // namespace

bool BeginsLabelName(char character) {
  return absl::ascii_isalpha(static_cast<unsigned char>(character)) || character == '_';
}

bool IsLabelNameCharacter(char character) {
  constexpr std::string_view kMarks = "_.-/";
  return absl::ascii_isalnum(static_cast<unsigned char>(character)) ||
         kMarks.find(character) != kMarks.npos;
}

absl::StatusOr<Labels> Labels::Make(std::vector<Label> labels) {
  if (labels.size() > kMaxLabels) {
    return platform::Error(absl::StatusCode::kInvalidArgument, kLabelLimit,
                           absl::StrCat(labels.size(), " labels exceed the limit of ", kMaxLabels));
  }
  for (const Label& label : labels) KANTOKU_RETURN_IF_ERROR(Check(label));
  std::sort(labels.begin(), labels.end(),
            [](const Label& a, const Label& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(labels.begin(), labels.end(),
                         [](const Label& a, const Label& b) { return a.name == b.name; });
  if (twice != labels.end()) return Refused(kBadLabel, twice->name, "is there twice");
  Labels made;
  made.labels_ = std::move(labels);
  return made;
}

const std::string* Labels::Find(std::string_view name) const {
  const auto at = std::lower_bound(
      labels_.begin(), labels_.end(), name,
      [](const Label& label, std::string_view wanted) { return label.name < wanted; });
  return at != labels_.end() && at->name == name ? &at->value : nullptr;
}

}  // namespace kantoku::inputs
