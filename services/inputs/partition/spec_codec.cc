#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "services/inputs/partition/admission_codec.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/record_fields.h"

// What was asked for, as bytes.
namespace kantoku::inputs {
namespace {

using fields::Begin;
using fields::DecodeUpTo;
using fields::kFourthFormat;
using fields::kSecondFormat;
using fields::kThirdFormat;
using fields::ReadAncestors;
using fields::ReadDigest;
using fields::ReadIdPart;
using fields::ReadInfoPart;
using fields::ReadKin;
using fields::ReadParts;
using fields::ReadSelector;
using fields::ReadTime;
using fields::WriteAncestors;
using fields::WriteDigest;
using fields::WriteIdPart;
using fields::WriteInfoPart;
using fields::WriteKin;
using fields::WriteTime;
using platform::ByteReader;
using platform::ByteWriter;

// Optional parts of a spec, in ascending order behind all its fields.
enum class SpecPart : uint64_t {
  kEnd = 0,
  kPlacement = 1,
  kDependencies = 2,
  kKeys = 3,
  kInfo = 4,
  kEqual = 5,
  kRestartedFrom = 6,
  kDeadlines = 7,
  kProvenance = 8,  // Behind the body,
  kOrder = 9,       // likewise.
};

// Of a dependency, the bit beside what becomes of the task when it fails.
constexpr uint8_t kArgumentBit = 4;

Effect ReadEffect(ByteReader& reader) {
  const auto effect = static_cast<Effect>(reader.Small<uint8_t>());
  if (effect < Effect::kPure || effect > Effect::kOnce) reader.Fail();
  return effect;
}

// What is no number is equal to nothing, not even to itself.
bool IsSound(const RetryPolicy& retry) {
  return !std::isnan(retry.multiplier) && !std::isnan(retry.jitter);
}

std::shared_ptr<const Placement> ReadPlacement(ByteReader& reader) {
  ByteReader fields(reader.Text());
  auto placement = std::make_shared<Placement>();
  placement->selector = ReadSelector(fields);
  placement->pins.executor = fields.Text();
  placement->pins.app = fields.Text();
  placement->pins.owner = fields.Text();
  if (!fields.Complete() || placement->empty()) reader.Fail();
  return placement;
}

// An id that is not known yet is its place, where an id has its end.
void WriteDependencies(ByteWriter& writer, std::span<const Dependency> dependencies,
                       std::string& bytes) {
  writer.Unsigned(dependencies.size() * kDependencyBytes);
  for (const Dependency& dependency : dependencies) {
    if (dependency.task.empty()) {
      std::array<uint8_t, TaskId::kSize> place{};
      for (int i = 0; i < 4; ++i) {
        place[TaskId::kSize - 1 - i] = static_cast<uint8_t>(dependency.place >> (8 * i));
      }
      writer.Id(platform::Uuid(place));
    } else {
      writer.Id(dependency.task);
    }
    bytes.push_back(static_cast<char>(static_cast<uint8_t>(dependency.on_failure) |
                                      (dependency.argument ? kArgumentBit : 0)));
  }
}

std::vector<Dependency> ReadDependencies(ByteReader& reader) {
  ByteReader fields(reader.Text());
  std::vector<Dependency> dependencies;
  while (fields.good() && !fields.rest().empty()) {
    Dependency& dependency = dependencies.emplace_back();
    dependency.task = TaskId(fields.Id());
    const auto flags = static_cast<uint8_t>(fields.Unsigned());
    dependency.argument = (flags & kArgumentBit) != 0;
    dependency.on_failure = static_cast<OnFailure>(flags & ~kArgumentBit);
    if (dependency.on_failure < OnFailure::kFail || dependency.on_failure > OnFailure::kRun) {
      fields.Fail();
    }
  }
  if (!fields.Complete() || dependencies.empty()) reader.Fail();
  return dependencies;
}

std::string EncodeProvenance(const Provenance& provenance) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.Text(provenance.app);
  writer.Text(provenance.executor_owner);
  writer.Text(provenance.root_app);
  writer.Text(provenance.spawn_scope);
  WriteAncestors(writer, provenance.ancestors.get());
  return bytes;
}

void WriteDeadlines(ByteWriter& writer, const TaskSpec& spec) {
  if (!spec.expire_at.has_value() && spec.total_timeout_ms == 0) return;
  std::string bytes;
  ByteWriter fields(bytes);
  WriteTime(fields, spec.expire_at);
  fields.Unsigned(spec.total_timeout_ms);
  writer.Unsigned(static_cast<uint64_t>(SpecPart::kDeadlines));
  writer.Text(bytes);
}

void ReadDeadlines(ByteReader& reader, TaskSpec& spec) {
  ByteReader fields(reader.Text());
  spec.expire_at = ReadTime(fields);
  spec.total_timeout_ms = fields.Unsigned();
  const bool any = spec.expire_at.has_value() || spec.total_timeout_ms != 0;
  // More would end after the last time that there is.
  constexpr uint64_t kMost = uint64_t{1} << 43;
  if (!fields.Complete() || !any || spec.total_timeout_ms > kMost) reader.Fail();
}

// What a text takes in the record, its tag and its size included.
uint32_t PartBytes(size_t encoded) {
  return static_cast<uint32_t>(1 + platform::VarintSize(encoded) + encoded);
}

void ReadProvenance(ByteReader& reader, TaskSpec& spec) {
  const std::string_view bytes = reader.Text();
  ByteReader fields(bytes);
  spec.provenance.app = fields.Text();
  spec.provenance.executor_owner = fields.Text();
  spec.provenance.root_app = fields.Text();
  spec.provenance.spawn_scope = fields.Text();
  spec.provenance.ancestors = ReadAncestors(fields, spec.parent);
  if (!fields.Complete()) return reader.Fail();
  spec.stored_bytes -= PartBytes(bytes.size());
}

void ReadOrder(ByteReader& reader, TaskSpec& spec) {
  const std::string_view bytes = reader.Text();
  ByteReader fields(bytes);
  spec.order = fields.Unsigned();
  if (!fields.Complete() || spec.order == 0) return reader.Fail();
  spec.stored_bytes -= PartBytes(bytes.size());
}

void ReadSpecParts(ByteReader& reader, uint64_t format, TaskSpec& spec) {
  ReadParts<SpecPart>(reader, [&](SpecPart part) {
    if (format == kThirdFormat && part >= SpecPart::kDeadlines) {  // There were none.
      return part == SpecPart::kDeadlines ? ReadProvenance(reader, spec) : reader.Fail();
    }
    switch (part) {
      case SpecPart::kPlacement:
        spec.placement = ReadPlacement(reader);
        break;
      case SpecPart::kDependencies:
        spec.dependencies = ReadDependencies(reader);
        break;
      case SpecPart::kKeys:
        spec.keys = ReadKeys(reader);
        break;
      case SpecPart::kInfo:
        spec.info = ReadInfoPart(reader);
        break;
      case SpecPart::kEqual: {
        ByteReader fields(reader.Text());
        spec.equal = ReadDigest(fields);
        const bool arguments = std::ranges::any_of(spec.dependencies, &Dependency::argument);
        if (!fields.Complete() || spec.effect != Effect::kPure || arguments) reader.Fail();
        break;
      }
      case SpecPart::kRestartedFrom:
        spec.restarted_from = ReadIdPart(reader);
        break;
      case SpecPart::kDeadlines:
        ReadDeadlines(reader, spec);
        break;
      case SpecPart::kProvenance:
        ReadProvenance(reader, spec);
        break;
      case SpecPart::kOrder:
        ReadOrder(reader, spec);
        break;
      default:
        reader.Fail();
    }
  });
}

}  // namespace

std::string EncodePlacement(const Placement& placement) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.Text(placement.selector.has_value() ? placement.selector->canonical() : "");
  writer.Text(placement.pins.executor);
  writer.Text(placement.pins.app);
  writer.Text(placement.pins.owner);
  return bytes;
}

size_t EncodeSpec(const TaskId& id, const TaskId& parent, const TaskId& root,
                  const Provenance& provenance, std::string_view body, std::string& bytes,
                  TaskKey order) {
  ByteWriter writer = Begin(bytes, kFourthFormat);
  writer.Id(id);
  WriteKin(writer, parent, root);
  const size_t place = bytes.size();
  bytes.append(body);
  if (provenance.empty() && order == 0) return place;
  bytes.pop_back();  // The last part, which says that there are no more.
  if (!provenance.empty()) {
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kProvenance));
    writer.Text(EncodeProvenance(provenance));
  }
  if (order != 0) {
    std::string part;
    ByteWriter(part).Unsigned(order);
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kOrder));
    writer.Text(part);
  }
  writer.Unsigned(static_cast<uint64_t>(SpecPart::kEnd));
  return place;
}

SpecPlaces EncodeSpecBody(std::string_view name_space, std::string_view owner, const TaskSpec& spec,
                          std::string_view content_type, std::string_view payload,
                          std::string& bytes) {
  ByteWriter writer(bytes);
  writer.Text(name_space);
  writer.Text(owner);
  writer.Text(spec.type);
  writer.Text(spec.reference);
  writer.Signed(spec.priority);
  WriteTime(writer, spec.not_before);
  writer.Unsigned(spec.timeout_ms);
  writer.Unsigned(spec.retention_s);
  writer.Unsigned(spec.retry.max_attempts);
  writer.Unsigned(spec.retry.initial_backoff_ms);
  writer.Unsigned(spec.retry.max_backoff_ms);
  writer.Float(spec.retry.multiplier);
  writer.Float(spec.retry.jitter);
  writer.Unsigned(static_cast<uint64_t>(spec.effect));
  writer.Unsigned(spec.retry.non_retryable.size());
  for (const std::string& reason : spec.retry.non_retryable) writer.Text(reason);
  writer.Text(content_type);
  writer.Text(payload);
  SpecPlaces places{.payload_end = bytes.size()};
  if (spec.placement != nullptr) {
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kPlacement));
    writer.Text(EncodePlacement(*spec.placement));
  }
  if (!spec.dependencies.empty()) {
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kDependencies));
    WriteDependencies(writer, spec.dependencies, bytes);
    places.dependencies = bytes.size() - spec.dependencies.size() * kDependencyBytes;
  }
  if (spec.keys != nullptr) {
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kKeys));
    writer.Text(EncodeKeys(*spec.keys));
  }
  WriteInfoPart(writer, static_cast<uint64_t>(SpecPart::kInfo), spec.info.get());
  if (spec.equal != Digest()) {
    writer.Unsigned(static_cast<uint64_t>(SpecPart::kEqual));
    writer.Unsigned(2 * sizeof(uint64_t));  // The size of a text.
    WriteDigest(writer, spec.equal);
  }
  WriteIdPart(writer, static_cast<uint64_t>(SpecPart::kRestartedFrom), spec.restarted_from);
  WriteDeadlines(writer, spec);
  writer.Unsigned(static_cast<uint64_t>(SpecPart::kEnd));
  return places;
}

absl::StatusOr<StoredSpec> DecodeSpec(std::string_view bytes) {
  const auto read = [bytes](ByteReader& reader, StoredSpec& record, uint64_t format) {
    record.spec.stored_bytes = static_cast<uint32_t>(bytes.size());
    record.id = TaskId(reader.Id());
    if (format >= kThirdFormat) ReadKin(reader, record.spec.parent, record.spec.root);
    record.name_space = reader.Text();
    record.owner = reader.Text();
    record.spec.type = reader.Text();
    record.spec.reference = reader.Text();
    record.spec.priority = static_cast<int32_t>(reader.Signed());
    record.spec.not_before = ReadTime(reader);
    record.spec.timeout_ms = reader.Small<uint32_t>();
    record.spec.retention_s = reader.Small<uint32_t>();
    record.spec.retry.max_attempts = reader.Small<uint32_t>();
    record.spec.retry.initial_backoff_ms = reader.Small<uint32_t>();
    record.spec.retry.max_backoff_ms = reader.Small<uint32_t>();
    record.spec.retry.multiplier = reader.Float();
    record.spec.retry.jitter = reader.Float();
    if (!IsSound(record.spec.retry)) reader.Fail();
    if (format >= kSecondFormat) {
      record.spec.effect = ReadEffect(reader);
      for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
        record.spec.retry.non_retryable.emplace_back(reader.Text());
      }
    }
    record.content_type = reader.Text();
    record.payload = reader.Text();
    if (format >= kThirdFormat) ReadSpecParts(reader, format, record.spec);
  };
  return DecodeUpTo<StoredSpec>(kFourthFormat, "spec", bytes, read);
}

}  // namespace kantoku::inputs
