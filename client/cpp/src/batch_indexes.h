#ifndef KANTOKU_CLIENT_CPP_SRC_BATCH_INDEXES_H_
#define KANTOKU_CLIENT_CPP_SRC_BATCH_INDEXES_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::internal {

// Tasks of a batch name others by their place in it. When some of them do not come through, those
// that depend on them do not either, and the places of the others move up.
//
// `for_each(spec, visit)` calls `visit(place)` for each place that the spec names, and puts what it
// returns in its stead. Afterwards the places in `specs` are those among the specs that are left;
// `refuse(spec, status)` hears of each of the others that was none of the errors before.
template <typename Spec, typename ForEach, typename Refuse>
void SettleIndexes(std::vector<absl::StatusOr<Spec>>& specs, ForEach for_each, Refuse refuse) {
  std::vector<std::vector<size_t>> dependents;  // Empty: no spec names a place.
  std::vector<size_t> refused;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!specs[i].ok()) {
      refused.push_back(i);
      continue;
    }
    for_each(*specs[i], [&](size_t place) {
      dependents.resize(specs.size());
      if (place < specs.size()) dependents[place].push_back(i);
      return place;
    });
  }
  if (refused.empty() || dependents.empty()) return;
  while (!refused.empty()) {
    const size_t place = refused.back();
    refused.pop_back();
    for (const size_t dependent : dependents[place]) {
      if (!specs[dependent].ok()) continue;
      absl::Status status = platform::Error(
          absl::StatusCode::kFailedPrecondition, "DEPENDENCY_REFUSED",
          absl::StrCat("dependencies: depends on task ", place,
                       " of the batch, which is refused: ", specs[place].status().message()));
      refuse(*specs[dependent], status);
      specs[dependent] = std::move(status);
      refused.push_back(dependent);
    }
  }
  std::vector<size_t> moved(specs.size());
  size_t left = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    moved[i] = left;
    if (specs[i].ok()) ++left;
  }
  for (auto& spec : specs) {
    // One that is out of range stays so, for the server to say.
    if (spec.ok()) {
      for_each(*spec, [&](size_t place) { return place < moved.size() ? moved[place] : place; });
    }
  }
}

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_BATCH_INDEXES_H_
