#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_STATUS_PROTO_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_STATUS_PROTO_H_

#include <string>

#include "absl/status/status.h"
#include "kantoku/task/v1/task.pb.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

inline void SetStatus(const absl::Status& status, task::v1::ItemStatus& item) {
  item.set_code(status.raw_code());
  item.set_reason(platform::ReasonOf(status));
  item.set_message(std::string(platform::ToStd(status.message())));
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_STATUS_PROTO_H_
