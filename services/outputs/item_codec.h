#ifndef KANTOKU_SERVICES_OUTPUTS_ITEM_CODEC_H_
#define KANTOKU_SERVICES_OUTPUTS_ITEM_CODEC_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/byte_io.h"
#include "services/platform/ids.h"

namespace kantoku::outputs {

// Something that a generator yielded. Its texts point into whatever it was read from.
struct Item {
  std::string_view data;
  std::string_view content_type;
};

enum class StreamState : uint8_t {
  kOpen,     // Items may come: how many there are is found in the last of their records.
  kClosed,   // None comes any more: `items` and `bytes` are final.
  kErasing,  // As closed, and they are being erased.
};

// The items of one dispatch, as a whole.
struct StoredStream {
  platform::TaskId task;
  uint32_t dispatch = 0;
  StreamState state = StreamState::kOpen;
  std::string_view name_space;
  std::string_view owner;
  uint64_t items = 0;  // 0 while it is open,
  uint64_t bytes = 0;  // and this of their records.
};

void EncodeStream(const StoredStream& stream, std::string& record);
absl::StatusOr<StoredStream> DecodeStream(std::string_view record);

// Writes a record of items one after the other.
//
// Thread-compatible.
class ItemRecordWriter {
 public:
  // Replaces what is in `record`, which outlives it. `bytes_before` is what the records of the
  // stream's earlier items take.
  ItemRecordWriter(uint64_t bytes_before, std::string& record);
  void Add(const Item& item);

 private:
  platform::ByteWriter writer_;
  std::string_view content_type_;
};

struct StoredItems {
  uint64_t bytes_before = 0;
  std::vector<Item> items;
};

// DATA_LOSS says what is wrong. Items point into `record`.
absl::StatusOr<StoredItems> DecodeItems(std::string_view record);

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_ITEM_CODEC_H_
