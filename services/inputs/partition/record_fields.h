#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_FIELDS_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_FIELDS_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inputs/engine/types.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

// What records of several kinds are made of. For the codecs of this folder alone.
namespace kantoku::inputs::fields {

// A kind whose records never had other fields is written in the first; of the others the older
// formats are read, too.
inline constexpr uint64_t kFirstFormat = 1;
inline constexpr uint64_t kSecondFormat = 2;  // Effects, and failures that are not retried.
// Kin and optional parts of specs, pauses, hashes with their number.
inline constexpr uint64_t kThirdFormat = 3;
inline constexpr uint64_t kFourthFormat = 4;  // What a task has waited for.
inline constexpr uint64_t kFifthFormat = 5;   // The attempts that have failed.

inline platform::ByteWriter Begin(std::string& bytes, uint64_t format = kFirstFormat) {
  platform::ByteWriter writer(bytes);
  writer.Unsigned(format);
  return writer;
}

// Reads the fields of a record of `format`, at most `latest`, with `read(reader, record, format)`
// and takes nothing else for good.
template <typename Record, typename ReadFields>
absl::StatusOr<Record> DecodeUpTo(uint64_t latest, std::string_view kind, std::string_view bytes,
                                  ReadFields read) {
  platform::ByteReader reader(bytes);
  Record record{};
  const uint64_t format = reader.Unsigned();
  const bool known = format >= kFirstFormat && format <= latest;
  if (known) read(reader, record, format);
  if (known && reader.Complete()) return record;
  return platform::Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                         std::string("a record of kind ").append(kind).append(" is damaged"));
}

template <typename Record, typename ReadFields>
absl::StatusOr<Record> Decode(std::string_view kind, std::string_view bytes, ReadFields read) {
  return DecodeUpTo<Record>(
      kFirstFormat, kind, bytes,
      [&read](platform::ByteReader& reader, Record& record, uint64_t) { read(reader, record); });
}

// 0 stands for "none", so that the common case is one byte.
inline void WriteTime(platform::ByteWriter& writer, const std::optional<absl::Time>& time) {
  writer.Unsigned(time.has_value() ? 1 : 0);
  if (time.has_value()) writer.Time(*time);
}
inline std::optional<absl::Time> ReadTime(platform::ByteReader& reader) {
  if (reader.Unsigned() == 0) return std::nullopt;
  return reader.Time();
}

inline void WriteDigest(platform::ByteWriter& writer, const Digest& digest) {
  writer.Fixed64(digest.high);
  writer.Fixed64(digest.low);
}
inline Digest ReadDigest(platform::ByteReader& reader) {
  Digest digest;
  digest.high = reader.Fixed64();
  digest.low = reader.Fixed64();
  return digest;
}

// Parent and root; of a task without a tree one byte.
inline void WriteKin(platform::ByteWriter& writer, const TaskId& parent, const TaskId& root) {
  writer.Unsigned(root.empty() ? 0 : 1);
  if (root.empty()) return;
  writer.Id(parent);
  writer.Id(root);
}
inline void ReadKin(platform::ByteReader& reader, TaskId& parent, TaskId& root) {
  if (reader.Unsigned() == 0) return;
  parent = TaskId(reader.Id());
  root = TaskId(reader.Id());
  if (root.empty()) reader.Fail();
}

// None when it is empty; one that does not parse is damage.
inline std::optional<Selector> ReadSelector(platform::ByteReader& reader) {
  const std::string_view text = reader.Text();
  if (text.empty()) return std::nullopt;
  auto parsed = Selector::Parse(text);
  if (parsed.ok()) return *std::move(parsed);
  reader.Fail();
  return std::nullopt;
}

inline TaskId ReadIdPart(platform::ByteReader& reader) {
  platform::ByteReader fields(reader.Text());
  const TaskId id(fields.Id());
  if (!fields.Complete() || id.empty()) reader.Fail();
  return id;
}

inline void WriteIdPart(platform::ByteWriter& writer, uint64_t part, const TaskId& id) {
  if (id.empty()) return;
  writer.Unsigned(part);
  writer.Text(id.bytes());
}

inline void WriteInfo(platform::ByteWriter& writer, const Info& info) {
  writer.Unsigned(info.revision);
  writer.Text(info.context);
  writer.Unsigned(info.labels.size());
  for (const Label& label : info.labels) {
    writer.Text(label.name);
    writer.Text(label.value);
  }
}

inline Info ReadInfo(platform::ByteReader& reader) {
  Info info{.context = {}, .labels = {}, .revision = reader.Unsigned()};
  info.context = reader.Text();
  std::vector<Label> labels;
  for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
    Label label;
    label.name = reader.Text();
    label.value = reader.Text();
    labels.push_back(std::move(label));
    if (labels.size() > kMaxInfoEntries) reader.Fail();
  }
  auto made = MakeInfo(std::move(labels));
  if (!made.ok()) reader.Fail();
  if (made.ok()) info.labels = *std::move(made);
  return info;
}

inline void WriteInfoPart(platform::ByteWriter& writer, uint64_t part, const Info* info) {
  if (info == nullptr) return;
  std::string bytes;
  platform::ByteWriter fields(bytes);
  WriteInfo(fields, *info);
  writer.Unsigned(part);
  writer.Text(bytes);
}

inline std::shared_ptr<const Info> ReadInfoPart(platform::ByteReader& reader) {
  platform::ByteReader fields(reader.Text());
  auto info = std::make_shared<const Info>(ReadInfo(fields));
  if (!fields.Complete()) reader.Fail();
  return info;
}

// Who is above a task beyond its parent, which stands elsewhere.
inline void WriteAncestors(platform::ByteWriter& writer, const Ancestors* ancestors) {
  const size_t count = ancestors == nullptr || ancestors->empty() ? 0 : ancestors->size() - 1;
  writer.Unsigned(count);
  for (size_t i = 0; i < count; ++i) writer.Id((*ancestors)[i + 1]);
}

// Null where there is no parent.
inline std::shared_ptr<const Ancestors> ReadAncestors(platform::ByteReader& reader,
                                                      const TaskId& parent) {
  const uint64_t count = reader.Unsigned();
  if (count >= kMostAncestors || (count > 0 && parent.empty())) reader.Fail();
  if (parent.empty() || !reader.good()) return nullptr;
  auto ancestors = std::make_shared<Ancestors>(1, parent);
  for (uint64_t left = count; left > 0 && reader.good(); --left) {
    ancestors->push_back(TaskId(reader.Id()));
  }
  return ancestors;
}

// Calls `read(part)` for each. One that is not in its place fails; one that is not known is to
// fail.
template <typename Part, typename Read>
void ReadParts(platform::ByteReader& reader, Read read) {
  uint64_t previous = 0;
  for (uint64_t part = reader.Unsigned(); part != 0 && reader.good(); part = reader.Unsigned()) {
    if (part <= previous) return reader.Fail();
    previous = part;
    read(static_cast<Part>(part));
  }
}

}  // namespace kantoku::inputs::fields

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_FIELDS_H_
