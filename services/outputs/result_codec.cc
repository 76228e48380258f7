#include "services/outputs/result_codec.h"

#include "absl/strings/str_cat.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::ByteReader;
using platform::ByteWriter;
using platform::RecordKey;
using platform::TaskId;
using platform::ToAbsl;

constexpr uint64_t kFormat = 1;
// Result statuses are two bits, then comes whether the result was emptied.
constexpr uint8_t kStatusMask = 3;
constexpr uint8_t kEmptiedFlag = 4;

ByteWriter Begin(std::string& record) {
  record.clear();
  ByteWriter writer(record);
  writer.Unsigned(kFormat);
  return writer;
}

// OK when the record has a format that we know.
absl::Status CheckFormat(std::string_view what, ByteReader& reader) {
  const uint64_t format = reader.Unsigned();
  if (reader.good() && format == kFormat) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(ToAbsl(what), " record has format ", format, "; known is ", kFormat));
}

absl::Status CheckComplete(std::string_view what, bool complete) {
  if (complete) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(ToAbsl(what), " record is damaged"));
}

}  // namespace

void EncodeResult(const StoredResult& result, std::string& record) {
  ByteWriter writer = Begin(record);
  writer.Unsigned(static_cast<uint8_t>(result.status) | (result.emptied ? kEmptiedFlag : 0U));
  writer.Id(result.task);
  writer.Unsigned(result.dispatch);
  writer.Time(result.ended_at);
  writer.Time(result.expires);
  writer.Text(result.name_space);
  writer.Text(result.owner);
  writer.Text(result.content_type);
  writer.Text(result.reason);
  writer.Text(result.message);
  writer.Text(result.data);
}

absl::StatusOr<StoredResult> DecodeResult(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("result", reader));
  StoredResult result;
  const auto status = reader.Small<uint8_t>();
  result.status = static_cast<ResultStatus>(status & kStatusMask);
  result.emptied = (status & kEmptiedFlag) != 0;
  result.task = TaskId(reader.Id());
  result.dispatch = reader.Small<uint32_t>();
  result.ended_at = reader.Time();
  result.expires = reader.Time();
  result.name_space = reader.Text();
  result.owner = reader.Text();
  result.content_type = reader.Text();
  result.reason = reader.Text();
  result.message = reader.Text();
  result.data = reader.Text();
  const bool sound = result.status != ResultStatus::kNone &&
                     status <= (kStatusMask | kEmptiedFlag) && reader.Complete();
  KANTOKU_RETURN_IF_ERROR(CheckComplete("result", sound));
  return result;
}

void EncodeFence(const StoredFence& fence, std::string& record) {
  ByteWriter writer = Begin(record);
  writer.Id(fence.task);
  writer.Unsigned(fence.dispatch);
  writer.Time(fence.erase_at);
}

absl::StatusOr<StoredFence> DecodeFence(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("fence", reader));
  StoredFence fence;
  fence.task = TaskId(reader.Id());
  fence.dispatch = reader.Small<uint32_t>();
  fence.erase_at = reader.Time();
  KANTOKU_RETURN_IF_ERROR(CheckComplete("fence", reader.Complete()));
  return fence;
}

void EncodeEpoch(uint64_t epoch, std::string& record) { Begin(record).Unsigned(epoch); }

absl::StatusOr<uint64_t> DecodeEpoch(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("epoch", reader));
  const uint64_t epoch = reader.Unsigned();
  KANTOKU_RETURN_IF_ERROR(CheckComplete("epoch", reader.Complete()));
  return epoch;
}

void EncodeExpiry(std::span<const RecordKey> keys, std::string& record) {
  ByteWriter writer = Begin(record);
  writer.Unsigned(keys.size());
  RecordKey previous = 0;
  for (const RecordKey key : keys) {
    writer.Unsigned(key - previous);
    previous = key;
  }
}

absl::StatusOr<std::vector<RecordKey>> DecodeExpiry(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("expiry", reader));
  const uint64_t size = reader.Unsigned();
  // A key takes a byte at least, so a size beyond that is not worth memory.
  bool sound = size <= reader.rest().size();
  std::vector<RecordKey> keys;
  if (sound) keys.reserve(size);
  RecordKey key = 0;
  for (uint64_t i = 0; sound && i < size; ++i) {
    const uint64_t step = reader.Unsigned();
    sound = (step > 0 || i == 0) && step <= platform::kMaxRecordKey - key;
    key += step;
    keys.push_back(key);
  }
  KANTOKU_RETURN_IF_ERROR(CheckComplete("expiry", sound && reader.Complete()));
  return keys;
}

absl::StatusOr<uint64_t> DecodeExpirySize(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("expiry", reader));
  const uint64_t size = reader.Unsigned();
  KANTOKU_RETURN_IF_ERROR(CheckComplete("expiry", size <= reader.rest().size()));
  return size;
}

}  // namespace kantoku::outputs
