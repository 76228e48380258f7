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
constexpr uint64_t kExpiryFormat = 2;
// Result statuses are two bits, then comes whether the result was emptied.
constexpr uint8_t kStatusMask = 3;
constexpr uint8_t kEmptiedFlag = 4;

ByteWriter Begin(std::string& record) {
  record.clear();
  ByteWriter writer(record);
  writer.Unsigned(kFormat);
  return writer;
}

absl::Status UnknownFormat(std::string_view what, uint64_t format, uint64_t known) {
  return absl::DataLossError(
      absl::StrCat(ToAbsl(what), " record has format ", format, "; known is ", known));
}

// OK when the record has a format that we know.
absl::Status CheckFormat(std::string_view what, ByteReader& reader) {
  const uint64_t format = reader.Unsigned();
  if (reader.good() && format == kFormat) return absl::OkStatus();
  return UnknownFormat(what, format, kFormat);
}

absl::Status CheckComplete(std::string_view what, bool complete) {
  if (complete) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(ToAbsl(what), " record is damaged"));
}

absl::StatusOr<ExpiryTotals> ReadExpiryTotals(ByteReader& reader) {
  const uint64_t format = reader.Unsigned();
  if (!reader.good() || format == 0 || format > kExpiryFormat) {
    return UnknownFormat("expiry", format, kExpiryFormat);
  }
  ExpiryTotals totals;
  if (format > 1) totals.bytes = reader.Unsigned();
  totals.keys = reader.Unsigned();
  // A key takes a byte at least, so a number beyond that is not worth memory.
  KANTOKU_RETURN_IF_ERROR(
      CheckComplete("expiry", reader.good() && totals.keys <= reader.rest().size()));
  return totals;
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

void EncodeExpiry(std::span<const RecordKey> keys, uint64_t bytes, std::string& record) {
  record.clear();
  ByteWriter writer(record);
  writer.Unsigned(kExpiryFormat);
  writer.Unsigned(bytes);
  writer.Unsigned(keys.size());
  RecordKey previous = 0;
  for (const RecordKey key : keys) {
    writer.Unsigned(key - previous);
    previous = key;
  }
}

absl::StatusOr<std::vector<RecordKey>> DecodeExpiry(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_ASSIGN_OR_RETURN(const ExpiryTotals totals, ReadExpiryTotals(reader));
  bool sound = true;
  std::vector<RecordKey> keys;
  keys.reserve(totals.keys);
  RecordKey key = 0;
  for (uint64_t i = 0; sound && i < totals.keys; ++i) {
    const uint64_t step = reader.Unsigned();
    sound = (step > 0 || i == 0) && step <= platform::kMaxRecordKey - key;
    key += step;
    keys.push_back(key);
  }
  KANTOKU_RETURN_IF_ERROR(CheckComplete("expiry", sound && reader.Complete()));
  return keys;
}

absl::StatusOr<ExpiryTotals> DecodeExpiryTotals(std::string_view record) {
  ByteReader reader(record);
  return ReadExpiryTotals(reader);
}

}  // namespace kantoku::outputs
