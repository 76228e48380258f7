#ifndef KANTOKU_SERVICES_INPUTS_SPEC_READER_H_
#define KANTOKU_SERVICES_INPUTS_SPEC_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/inputs/partition/spawn_batch.h"
#include "services/platform/identity/identity.h"
#include "services/platform/rpc/received.h"

namespace kantoku::inputs {

struct SpecLimits {
  uint64_t max_payload_bytes = uint64_t{4} << 20;
  size_t max_specs = 100'000;
  size_t max_batch_bytes = size_t{16} << 20;
};

// A spawn call after the one check that it gets.
struct CheckedSpawn {
  std::shared_ptr<const SpawnBatch> batch;  // The good specs.
  std::vector<absl::Status> statuses;       // One per spec of the call; OK for the good ones.
  // Where in the call each spec of the batch was: in its order, but that a spec comes behind those
  // that it depends on.
  std::vector<uint32_t> places;
};

// Checks a call and encodes its records. INVALID_ARGUMENT names field, value and limit when the
// call as a whole is bad; bad specs only have a bad status each.
absl::StatusOr<CheckedSpawn> ReadSpawn(const platform::Received<v1::SpawnRequest>& received,
                                       const platform::Identity& caller, const SpecLimits& limits,
                                       absl::Time now);

// What a selector over info says; absent when `text` is empty. INVALID_ARGUMENT names the column.
absl::StatusOr<std::optional<Selector>> ReadFilter(std::string_view field, const std::string& text);

// The rule for names of contexts: at most 255 bytes of printable UTF-8.
absl::Status CheckContext(std::string_view field, std::string_view context);

// The rule for names of task types: 1 to 255 bytes of letters, digits and `. _ - / :`. `field` is
// named in the error.
absl::Status CheckType(std::string_view field, std::string_view type);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SPEC_READER_H_
