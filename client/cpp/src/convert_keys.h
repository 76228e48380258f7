#ifndef KANTOKU_CLIENT_CPP_SRC_CONVERT_KEYS_H_
#define KANTOKU_CLIENT_CPP_SRC_CONVERT_KEYS_H_

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/keys.h"
#include "kantoku/task/v1/task.pb.h"

// Keys and limits, to and from the wire. INVALID_ARGUMENT names the field that is no UTF-8, or that
// a duration does not fit into.
namespace kantoku::internal {

absl::Status SetKeys(TaskKeys from, task::v1::TaskSpec& to);
TaskKeys ToKeys(const task::v1::TaskInfo& from);
absl::Status SetLimitName(LimitName from, inputs::v1::LimitName& to);
absl::Status SetLimit(Limit from, inputs::v1::Limit& to);
LimitInfo ToLimitInfo(const inputs::v1::LimitInfo& from);

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_CONVERT_KEYS_H_
