#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_INFO_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_INFO_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inputs/selector/labels.h"

namespace kantoku::inputs {

inline constexpr size_t kMaxInfoEntries = 60;
inline constexpr size_t kMaxInfoBytes = 4'096;  // Of all names and values of a task.
// Names that begin so are the server's, in filters.
inline constexpr std::string_view kServerInfoPrefix = "task.";

// What users find a task by and group it with. Immutable where it is shared.
struct Info {
  std::string context;    // Empty: none.
  Labels labels;          // As MakeInfo checks them.
  uint64_t revision = 0;  // Patches of `labels` so far.

  bool operator==(const Info&) const = default;
};

// INVALID_ARGUMENT, BAD_LABEL or LABEL_LIMIT: names the entry, and the value or limit.
absl::StatusOr<Labels> MakeInfo(std::vector<Label> entries);

// About what it takes in memory, and in each record that holds it.
size_t BytesOf(const Info& info);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_INFO_H_
