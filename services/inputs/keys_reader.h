#ifndef KANTOKU_SERVICES_INPUTS_KEYS_READER_H_
#define KANTOKU_SERVICES_INPUTS_KEYS_READER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/task/v1/task.pb.h"
#include "services/inputs/engine/keys.h"
#include "services/inputs/partition/partition.h"

namespace kantoku::inputs {

// The one check of what users say of keys, limits and pauses. INVALID_ARGUMENT names the field, the
// value (of text the length alone, where that is what is wrong) and the limit.

// Null when the spec names none.
absl::StatusOr<std::shared_ptr<const TaskKeys>> ReadKeys(const task::v1::TaskSpec& spec);
// Items of a call have statuses of their own; the call itself may be refused for their number.
absl::StatusOr<LimitsCommand> ReadLimits(const v1::SetLimitsRequest& request,
                                         std::string name_space);
absl::StatusOr<PauseCommand> ReadPause(const v1::SetPauseRequest& request, std::string name_space);

void SetKeys(const TaskKeys& keys, task::v1::TaskInfo& proto);
void SetLimitInfo(const LimitView& view, v1::LimitInfo& proto);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_KEYS_READER_H_
