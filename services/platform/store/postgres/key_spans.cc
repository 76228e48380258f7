#include "services/platform/store/postgres/key_spans.h"

#include <algorithm>

#include "services/platform/byte_io.h"

namespace kantoku::platform {

std::string EncodeSpans(const KeySpans& spans, std::span<const RecordKind> kinds) {
  std::string bytes;
  ByteWriter writer(bytes);
  for (const RecordKind kind : kinds) {
    writer.Unsigned(kind);
    writer.Unsigned(spans[kind].low);
    writer.Unsigned(spans[kind].high);
  }
  return bytes;
}

KeySpans DecodeSpans(std::string_view bytes) {
  KeySpans unknown;
  unknown.fill({.low = 0, .high = kMaxRecordKey});
  KeySpans spans = unknown;
  ByteReader reader(bytes);
  while (reader.good() && !reader.rest().empty()) {
    const auto kind = reader.Small<RecordKind>();
    spans[kind].low = reader.Unsigned();
    spans[kind].high = std::min(reader.Unsigned(), kMaxRecordKey);
  }
  return reader.Complete() ? spans : unknown;
}

}  // namespace kantoku::platform
