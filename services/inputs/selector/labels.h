#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_LABELS_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_LABELS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::inputs {

inline constexpr size_t kMaxLabels = 64;           // In one set.
inline constexpr size_t kMaxLabelNameBytes = 128;  // At least 1.
inline constexpr size_t kMaxLabelValueBytes = 256;

// Reasons (platform/status.h) of labels that are refused, all INVALID_ARGUMENT.
inline constexpr std::string_view kBadLabel = "BAD_LABEL";      // Is not what labels look like.
inline constexpr std::string_view kLabelLimit = "LABEL_LIMIT";  // Is beyond a limit above.

// A name begins with a letter or `_` and holds letters, digits and `_ . - /`, all of ASCII; `Gpu`
// and `gpu` are two names. A value is UTF-8 without control characters; it may be empty, which is
// something else than a label that is absent.
struct Label {
  std::string name;
  std::string value;

  bool operator==(const Label&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Label& label) {
    return H::combine(std::move(h), label.name, label.value);
  }
};

// Whether `character` may stand in a label's name, and whether it may begin one.
bool IsLabelNameCharacter(char character);
bool BeginsLabelName(char character);

// The labels of one executor or task, each name once, in the order of their names.
//
// Thread-compatible.
class Labels {
 public:
  Labels() = default;  // None.

  // In any order. BAD_LABEL and LABEL_LIMIT name the label, and the value or limit; the time is
  // bounded by the limits and not by what is given.
  static absl::StatusOr<Labels> Make(std::vector<Label> labels);

  // nullptr when it is absent. Good for as long as these labels are.
  const std::string* Find(std::string_view name) const;

  size_t size() const { return labels_.size(); }
  bool empty() const { return labels_.empty(); }
  std::vector<Label>::const_iterator begin() const { return labels_.begin(); }
  std::vector<Label>::const_iterator end() const { return labels_.end(); }

  bool operator==(const Labels&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Labels& labels) {
    return H::combine(std::move(h), labels.labels_);
  }

 private:
  std::vector<Label> labels_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_LABELS_H_
