#ifndef KANTOKU_SERVICES_OUTPUTS_RESULT_CODEC_H_
#define KANTOKU_SERVICES_OUTPUTS_RESULT_CODEC_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/ids.h"
#include "services/platform/store/write_batch.h"

namespace kantoku::outputs {

// How a task ended. The numbers are stored, and those of the wire.
enum class ResultStatus : uint8_t { kNone = 0, kSucceeded = 1, kFailed = 2, kCancelled = 3 };

// A result. Its texts point into the record it was decoded from, or wherever its maker keeps them.
// `status` and `emptied` share a field: the status, plus 4 when emptied.
struct StoredResult {
  platform::TaskId task;
  ResultStatus status = ResultStatus::kNone;
  // Its retention was over before a late write could be ruled out: what is left is the fact that
  // the task has ended. All texts but namespace and owner are empty.
  bool emptied = false;
  uint32_t dispatch = 0;  // 0 when it was never dispatched.
  absl::Time ended_at;
  absl::Time expires;  // From then on it is no longer shown.
  std::string_view name_space;
  std::string_view owner;
  std::string_view content_type;
  std::string_view reason;
  std::string_view message;
  std::string_view data;
};

// Writes of this and every earlier dispatch of the task are refused.
struct StoredFence {
  platform::TaskId task;
  uint32_t dispatch = 0;
  absl::Time erase_at;
};

// Plain structs to bytes and back. A record is its format (1), then the fields of its struct in
// their order, as platform/byte_io.h writes them; so times are whole milliseconds.
//
// Encoders replace what is in `record`. Decoders fail with DATA_LOSS, which says what is wrong.
void EncodeResult(const StoredResult& result, std::string& record);
absl::StatusOr<StoredResult> DecodeResult(std::string_view record);

void EncodeFence(const StoredFence& fence, std::string& record);
absl::StatusOr<StoredFence> DecodeFence(std::string_view record);

void EncodeEpoch(uint64_t epoch, std::string& record);
absl::StatusOr<uint64_t> DecodeEpoch(std::string_view record);

// Results that come of age together.
struct ExpiryTotals {
  uint64_t keys = 0;
  uint64_t bytes = 0;  // Of their records; 0 when the record is of format 1, which did not say.
};

// The bytes and the number of keys, then the step from each key to the next. `keys` ascend, none
// twice; neighbours take a byte each. Its format is 2.
void EncodeExpiry(std::span<const platform::RecordKey> keys, uint64_t bytes, std::string& record);
absl::StatusOr<std::vector<platform::RecordKey>> DecodeExpiry(std::string_view record);
// Without looking at the keys.
absl::StatusOr<ExpiryTotals> DecodeExpiryTotals(std::string_view record);

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_RESULT_CODEC_H_
