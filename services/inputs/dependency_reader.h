#ifndef KANTOKU_SERVICES_INPUTS_DEPENDENCY_READER_H_
#define KANTOKU_SERVICES_INPUTS_DEPENDENCY_READER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "kantoku/task/v1/task.pb.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

inline constexpr int kMaxDependencies = 10'000;
inline constexpr int kMaxArguments = 1'000;

// The dependencies of the spec at `place` among `count`. INVALID_ARGUMENT names field, value and
// limit; see TaskSpec.dependencies.
absl::Status ReadDependencies(
    const google::protobuf::RepeatedPtrField<task::v1::Dependency>& protos, uint32_t place,
    uint32_t count, std::vector<Dependency>& dependencies);

// The places of the specs whose status is OK, each behind those that it depends on, otherwise in
// their order. Refuses, in `statuses`, those that wait for each other (INVALID_ARGUMENT,
// DEPENDENCY_CYCLE) and those that depend on one that is refused (FAILED_PRECONDITION,
// DEPENDENCY_REFUSED). O(specs and dependencies), whatever their form.
std::vector<uint32_t> OrderByDependencies(std::span<const TaskSpec> specs,
                                          std::vector<absl::Status>& statuses);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_DEPENDENCY_READER_H_
