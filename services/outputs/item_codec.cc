#include "services/outputs/item_codec.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::ByteReader;
using platform::ByteWriter;

constexpr uint64_t kFormat = 1;

absl::Status CheckFormat(std::string_view what, ByteReader& reader) {
  const uint64_t format = reader.Unsigned();
  if (reader.good() && format == kFormat) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(platform::ToAbsl(what), " record has format ", format, "; known is ", kFormat));
}

absl::Status CheckComplete(std::string_view what, bool complete) {
  if (complete) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(platform::ToAbsl(what), " record is damaged"));
}

}  // namespace

void EncodeStream(const StoredStream& stream, std::string& record) {
  record.clear();
  ByteWriter writer(record);
  writer.Unsigned(kFormat);
  writer.Id(stream.task);
  writer.Unsigned(stream.dispatch);
  writer.Unsigned(static_cast<uint8_t>(stream.state));
  writer.Text(stream.name_space);
  writer.Text(stream.owner);
  writer.Unsigned(stream.items);
  writer.Unsigned(stream.bytes);
}

absl::StatusOr<StoredStream> DecodeStream(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("stream", reader));
  StoredStream stream;
  stream.task = platform::TaskId(reader.Id());
  stream.dispatch = reader.Small<uint32_t>();
  const auto state = reader.Small<uint8_t>();
  stream.state = static_cast<StreamState>(state);
  stream.name_space = reader.Text();
  stream.owner = reader.Text();
  stream.items = reader.Unsigned();
  stream.bytes = reader.Unsigned();
  const bool sound = state <= static_cast<uint8_t>(StreamState::kErasing) && reader.Complete();
  KANTOKU_RETURN_IF_ERROR(CheckComplete("stream", sound));
  return stream;
}

// Each item is its data, and its content type, unless that is the one before's: a flag says which.
ItemRecordWriter::ItemRecordWriter(uint64_t bytes_before, std::string& record) : writer_(record) {
  record.clear();
  writer_.Unsigned(kFormat);
  writer_.Unsigned(bytes_before);
}

void ItemRecordWriter::Add(const Item& item) {
  const bool same = item.content_type == content_type_;
  writer_.Unsigned(same ? 0 : 1);
  if (!same) writer_.Text(item.content_type);
  writer_.Text(item.data);
  content_type_ = item.content_type;
}

absl::StatusOr<StoredItems> DecodeItems(std::string_view record) {
  ByteReader reader(record);
  KANTOKU_RETURN_IF_ERROR(CheckFormat("items", reader));
  StoredItems stored;
  stored.bytes_before = reader.Unsigned();
  std::string_view content_type;
  while (reader.good() && !reader.rest().empty()) {
    const uint64_t flag = reader.Unsigned();
    if (flag > 1) reader.Fail();
    if (flag == 1) content_type = reader.Text();
    stored.items.push_back({.data = reader.Text(), .content_type = content_type});
  }
  KANTOKU_RETURN_IF_ERROR(CheckComplete("items", reader.Complete() && !stored.items.empty()));
  return stored;
}

}  // namespace kantoku::outputs
