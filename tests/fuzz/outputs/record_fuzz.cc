// Any bytes are refused as a record, or mean what their fields mean when they are written again.
// The first byte chooses the kind.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/outputs/item_codec.h"
#include "services/outputs/result_codec.h"
#include "services/platform/check.h"

namespace {

namespace outputs = ::kantoku::outputs;

void CheckResult(std::string_view bytes) {
  const auto result = outputs::DecodeResult(bytes);
  if (!result.ok()) return;
  std::string record;
  outputs::EncodeResult(*result, record);
  const auto again = outputs::DecodeResult(record);
  KANTOKU_CHECK(again.ok());
  KANTOKU_CHECK(again->task == result->task && again->status == result->status);
  KANTOKU_CHECK(again->emptied == result->emptied && again->dispatch == result->dispatch);
  KANTOKU_CHECK(again->expires == result->expires && again->owner == result->owner);
  KANTOKU_CHECK(again->message == result->message && again->data == result->data);
}

void CheckFence(std::string_view bytes) {
  const auto fence = outputs::DecodeFence(bytes);
  if (!fence.ok()) return;
  std::string record;
  outputs::EncodeFence(*fence, record);
  const auto again = outputs::DecodeFence(record);
  KANTOKU_CHECK(again.ok() && again->task == fence->task && again->dispatch == fence->dispatch);
}

void CheckExpiry(std::string_view bytes) {
  const auto keys = outputs::DecodeExpiry(bytes);
  if (!keys.ok()) return;
  const auto totals = outputs::DecodeExpiryTotals(bytes);
  KANTOKU_CHECK(totals.ok() && totals->keys == keys->size());
  std::string record;
  outputs::EncodeExpiry(*keys, totals->bytes, record);
  KANTOKU_CHECK(outputs::DecodeExpiry(record).value() == *keys);
  KANTOKU_CHECK(outputs::DecodeExpiryTotals(record)->bytes == totals->bytes);
}

void CheckStream(std::string_view bytes) {
  const auto stream = outputs::DecodeStream(bytes);
  if (!stream.ok()) return;
  std::string record;
  outputs::EncodeStream(*stream, record);
  const auto again = outputs::DecodeStream(record);
  KANTOKU_CHECK(again.ok() && again->task == stream->task && again->state == stream->state);
  KANTOKU_CHECK(again->dispatch == stream->dispatch && again->owner == stream->owner);
  KANTOKU_CHECK(again->items == stream->items && again->bytes == stream->bytes);
}

void CheckItems(std::string_view bytes) {
  const auto stored = outputs::DecodeItems(bytes);
  if (!stored.ok()) return;
  std::string record;
  outputs::ItemRecordWriter writer(stored->bytes_before, record);
  for (const outputs::Item& item : stored->items) writer.Add(item);
  const auto again = outputs::DecodeItems(record);
  KANTOKU_CHECK(again.ok() && again->bytes_before == stored->bytes_before);
  KANTOKU_CHECK(again->items.size() == stored->items.size());
  for (size_t i = 0; i < stored->items.size(); ++i) {
    KANTOKU_CHECK(again->items[i].data == stored->items[i].data);
    KANTOKU_CHECK(again->items[i].content_type == stored->items[i].content_type);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case '1':
      CheckResult(bytes);
      break;
    case '2':
      CheckFence(bytes);
      break;
    case '3':
      CheckExpiry(bytes);
      break;
    case '5':
      CheckStream(bytes);
      break;
    case '6':
      CheckItems(bytes);
      break;
    default:
      static_cast<void>(outputs::DecodeEpoch(bytes));
  }
  return 0;
}
