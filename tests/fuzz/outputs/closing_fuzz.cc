// Whatever comes as an item of a Fence is refused, or is within its limits.
#include <cstddef>
#include <cstdint>

#include "services/outputs/wire.h"
#include "services/platform/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace outputs = ::kantoku::outputs;
  outputs::v1::FenceItem item;
  if (!item.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto closing = outputs::DecodeClosing(item);
  if (!closing.ok()) return 0;
  KANTOKU_CHECK(closing->task.bytes() == item.task_id());
  KANTOKU_CHECK(closing->dispatch > 0 || closing->settlement.has_value());
  if (!closing->settlement.has_value()) return 0;
  const outputs::StoredResult& result = closing->settlement->result;
  KANTOKU_CHECK(result.status == outputs::ResultStatus::kFailed ||
                result.status == outputs::ResultStatus::kCancelled);
  KANTOKU_CHECK(result.message.size() <= 4096 && result.reason.size() <= 63);
  KANTOKU_CHECK(closing->settlement->retention >= absl::Seconds(1));
  return 0;
}
