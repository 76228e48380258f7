#include "services/inputs/partition/record_codec.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/partition/admission_codec.h"
#include "services/platform/byte_io.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

using platform::ByteReader;
using platform::ByteWriter;

// A kind whose records never had other fields is written in the first; of the others the older
// formats are read, too.
constexpr uint64_t kFirstFormat = 1;
constexpr uint64_t kSecondFormat = 2;  // Effects, and failures that are not retried.
constexpr size_t kFirstFormatHashes = 8;
constexpr size_t kSecondFormatHashes = 9;
constexpr uint64_t kThirdFormat =
    3;  // Kin and optional parts of specs, pauses, hashes with their number.
constexpr uint64_t kFourthFormat = 4;  // What a task has waited for.

// What an object record is.
constexpr uint64_t kRouteObject = 1;

// Optional parts of a spec, in ascending order behind all its fields.
enum class SpecPart : uint64_t {
  kEnd = 0,
  kPlacement = 1,
  kDependencies = 2,
  kKeys = 3,
  kInfo = 4,
  kEqual = 5,
  kRestartedFrom = 6,
};

// Optional parts of an ended task, likewise.
enum class EndedPart : uint64_t { kEnd = 0, kRestartedFrom = 1, kInfo = 2 };

// Of a dependency, the bit beside what becomes of the task when it fails.
constexpr uint8_t kArgumentBit = 4;

ByteWriter Begin(std::string& bytes, uint64_t format = kFirstFormat) {
  ByteWriter writer(bytes);
  writer.Unsigned(format);
  return writer;
}

// Reads the fields of a record of `format`, at most `latest`, with `read(reader, record, format)`
// and takes nothing else for good.
template <typename Record, typename ReadFields>
absl::StatusOr<Record> DecodeUpTo(uint64_t latest, std::string_view kind, std::string_view bytes,
                                  ReadFields read) {
  ByteReader reader(bytes);
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
      [&read](ByteReader& reader, Record& record, uint64_t) { read(reader, record); });
}

// 0 stands for "none", so that the common case is one byte.
void WriteTime(ByteWriter& writer, const std::optional<absl::Time>& time) {
  writer.Unsigned(time.has_value() ? 1 : 0);
  if (time.has_value()) writer.Time(*time);
}
std::optional<absl::Time> ReadTime(ByteReader& reader) {
  if (reader.Unsigned() == 0) return std::nullopt;
  return reader.Time();
}

void WriteWaits(ByteWriter& writer, const CauseTimes& times) {
  writer.Unsigned(
      static_cast<uint64_t>(std::ranges::count_if(times, [](int64_t time) { return time != 0; })));
  for (size_t cause = 0; cause < kWaitCauses; ++cause) {
    if (times[cause] == 0) continue;
    writer.Unsigned(cause);
    writer.Signed(times[cause]);
  }
}
CauseTimes ReadWaits(ByteReader& reader) {
  CauseTimes times{};
  for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
    const uint64_t cause = reader.Unsigned();
    const int64_t time = reader.Signed();
    if (cause >= kWaitCauses || time < 0) {
      reader.Fail();
    } else {
      times[cause] += time;
    }
  }
  return times;
}

void WriteFailure(ByteWriter& writer, const Failure& failure) {
  writer.Text(failure.reason);
  writer.Text(failure.message);
}
Failure ReadFailure(ByteReader& reader) {
  Failure failure;
  failure.reason = reader.Text();
  failure.message = reader.Text();
  return failure;
}

void WriteDigest(ByteWriter& writer, const Digest& digest) {
  writer.Fixed64(digest.high);
  writer.Fixed64(digest.low);
}
Digest ReadDigest(ByteReader& reader) {
  Digest digest;
  digest.high = reader.Fixed64();
  digest.low = reader.Fixed64();
  return digest;
}

// A final state, or 0 for none; of another, the record is damaged.
std::optional<TaskState> ReadEnd(ByteReader& reader) {
  const auto state = static_cast<TaskState>(reader.Small<uint8_t>());
  if (state == TaskState{}) return std::nullopt;
  if (!IsFinal(state)) reader.Fail();
  return state;
}

Effect ReadEffect(ByteReader& reader) {
  const auto effect = static_cast<Effect>(reader.Small<uint8_t>());
  if (effect < Effect::kPure || effect > Effect::kOnce) reader.Fail();
  return effect;
}

// Parent and root; of a task without a tree one byte.
void WriteKin(ByteWriter& writer, const TaskId& parent, const TaskId& root) {
  writer.Unsigned(root.empty() ? 0 : 1);
  if (root.empty()) return;
  writer.Id(parent);
  writer.Id(root);
}
void ReadKin(ByteReader& reader, TaskId& parent, TaskId& root) {
  if (reader.Unsigned() == 0) return;
  parent = TaskId(reader.Id());
  root = TaskId(reader.Id());
}

ControlVerb ReadVerb(ByteReader& reader) {
  const auto verb = static_cast<ControlVerb>(reader.Small<uint8_t>());
  if (verb < ControlVerb::kCancel || verb > ControlVerb::kResume) reader.Fail();
  return verb;
}

// None when it is empty; one that does not parse is damage.
std::optional<Selector> ReadSelector(ByteReader& reader) {
  const std::string_view text = reader.Text();
  if (text.empty()) return std::nullopt;
  auto parsed = Selector::Parse(text);
  if (parsed.ok()) return *std::move(parsed);
  reader.Fail();
  return std::nullopt;
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

TaskId ReadIdPart(ByteReader& reader) {
  ByteReader fields(reader.Text());
  const TaskId id(fields.Id());
  if (!fields.Complete() || id.empty()) reader.Fail();
  return id;
}

void WriteInfo(ByteWriter& writer, const Info& info) {
  writer.Unsigned(info.revision);
  writer.Text(info.context);
  writer.Unsigned(info.labels.size());
  for (const Label& label : info.labels) {
    writer.Text(label.name);
    writer.Text(label.value);
  }
}

Info ReadInfo(ByteReader& reader) {
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

void WriteInfoPart(ByteWriter& writer, uint64_t part, const Info* info) {
  if (info == nullptr) return;
  std::string bytes;
  ByteWriter fields(bytes);
  WriteInfo(fields, *info);
  writer.Unsigned(part);
  writer.Text(bytes);
}

std::shared_ptr<const Info> ReadInfoPart(ByteReader& reader) {
  ByteReader fields(reader.Text());
  auto info = std::make_shared<const Info>(ReadInfo(fields));
  if (!fields.Complete()) reader.Fail();
  return info;
}

// Calls `read(part)` for each. One that is not in its place fails; one that is not known is to
// fail.
template <typename Part, typename Read>
void ReadParts(ByteReader& reader, Read read) {
  uint64_t previous = 0;
  for (uint64_t part = reader.Unsigned(); part != 0 && reader.good(); part = reader.Unsigned()) {
    if (part <= previous) return reader.Fail();
    previous = part;
    read(static_cast<Part>(part));
  }
}

void ReadSpecParts(ByteReader& reader, TaskSpec& spec) {
  ReadParts<SpecPart>(reader, [&](SpecPart part) {
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
      default:
        reader.Fail();
    }
  });
}

void WriteIdPart(ByteWriter& writer, uint64_t part, const TaskId& id) {
  if (id.empty()) return;
  writer.Unsigned(part);
  writer.Text(id.bytes());
}

void WriteEndedParts(ByteWriter& writer, const TaskView& task) {
  WriteIdPart(writer, static_cast<uint64_t>(EndedPart::kRestartedFrom), task.restarted_from);
  WriteInfoPart(writer, static_cast<uint64_t>(EndedPart::kInfo), task.info.get());
  writer.Unsigned(static_cast<uint64_t>(EndedPart::kEnd));
}

void ReadEndedParts(ByteReader& reader, TaskView& task) {
  ReadParts<EndedPart>(reader, [&](EndedPart part) {
    switch (part) {
      case EndedPart::kRestartedFrom:
        task.restarted_from = ReadIdPart(reader);
        break;
      case EndedPart::kInfo:
        task.info = ReadInfoPart(reader);
        break;
      default:
        reader.Fail();
    }
  });
}

// Those of fields that are not there are 0; those of fields that are not known here must be.
SpecHashes ReadHashes(ByteReader& reader, uint64_t format) {
  SpecHashes hashes{};
  const uint64_t count = format >= kThirdFormat    ? reader.Unsigned()
                         : format >= kSecondFormat ? kSecondFormatHashes
                                                   : kFirstFormatHashes;
  for (uint64_t i = 0; i < count && reader.good(); ++i) {
    const uint64_t hash = reader.Fixed64();
    if (i < hashes.size()) {
      hashes[i] = hash;
    } else if (hash != 0) {
      reader.Fail();
    }
  }
  return hashes;
}

// Texts by number; each is spelled out where it first occurs.
class NameWriter {
 public:
  explicit NameWriter(ByteWriter& writer) : writer_(writer) {}
  void Write(std::string_view name) {
    const auto [entry, added] = numbers_.try_emplace(name, numbers_.size());
    writer_.Unsigned(entry->second);
    if (added) writer_.Text(name);
  }

 private:
  ByteWriter& writer_;
  absl::flat_hash_map<std::string_view, size_t> numbers_;
};

class NameReader {
 public:
  explicit NameReader(ByteReader& reader) : reader_(reader) {}
  std::string Read() {
    const uint64_t number = reader_.Unsigned();
    if (number == names_.size()) names_.push_back(reader_.Text());
    if (number < names_.size()) return std::string(names_[number]);
    reader_.Fail();
    return {};
  }

 private:
  ByteReader& reader_;
  std::vector<std::string_view> names_;
};

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

void EncodeSpec(const TaskId& id, const TaskId& parent, const TaskId& root, std::string_view body,
                std::string& bytes) {
  ByteWriter writer = Begin(bytes, kThirdFormat);
  writer.Id(id);
  WriteKin(writer, parent, root);
  bytes.append(body);
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
    if (format >= kSecondFormat) {
      record.spec.effect = ReadEffect(reader);
      for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
        record.spec.retry.non_retryable.emplace_back(reader.Text());
      }
    }
    record.content_type = reader.Text();
    record.payload = reader.Text();
    if (format >= kThirdFormat) ReadSpecParts(reader, record.spec);
  };
  return DecodeUpTo<StoredSpec>(kThirdFormat, "spec", bytes, read);
}

void Encode(const StateRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kFourthFormat);
  writer.Unsigned(record.closed_dispatch);
  writer.Unsigned(record.failed_attempts);
  writer.Unsigned(record.cancel_requested ? 1 : 0);
  writer.Unsigned(record.intended_end.has_value() ? static_cast<uint64_t>(*record.intended_end)
                                                  : 0);
  WriteTime(writer, record.not_before);
  WriteFailure(writer, record.last_failure);
  writer.Unsigned(record.once_begun ? 1 : 0);
  writer.Unsigned(record.interrupt_requested ? 1 : 0);
  writer.Unsigned(record.pause_requested ? 1 : 0);
  writer.Unsigned(record.stepping ? 1 : 0);
  WriteTime(writer, record.stop_by);
  WriteTime(writer, record.waited_until);
  WriteWaits(writer, record.waited);
}

absl::StatusOr<StateRecord> DecodeState(std::string_view bytes) {
  const auto read = [](ByteReader& reader, StateRecord& record, uint64_t format) {
    record.closed_dispatch = reader.Small<uint32_t>();
    record.failed_attempts = reader.Small<uint32_t>();
    record.cancel_requested = reader.Unsigned() != 0;
    record.intended_end = ReadEnd(reader);
    record.not_before = ReadTime(reader);
    record.last_failure = ReadFailure(reader);
    if (format >= kSecondFormat) record.once_begun = reader.Unsigned() != 0;
    if (format < kThirdFormat) return;
    record.interrupt_requested = reader.Unsigned() != 0;
    record.pause_requested = reader.Unsigned() != 0;
    record.stepping = reader.Unsigned() != 0;
    record.stop_by = ReadTime(reader);
    if (format < kFourthFormat) return;
    record.waited_until = ReadTime(reader);
    record.waited = ReadWaits(reader);
  };
  return DecodeUpTo<StateRecord>(kFourthFormat, "state", bytes, read);
}

void Encode(const DispatchGroupRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kSecondFormat);
  writer.Unsigned(record.entries.size());
  TaskKey previous = 0;  // Neighbours are close: differences are short.
  for (const auto& entry : record.entries) {
    writer.Signed(static_cast<int64_t>(entry.task - previous));
    writer.Unsigned(entry.dispatch);
    writer.Unsigned(entry.session);
    previous = entry.task;
  }
  WriteTime(writer, record.at);
}

absl::StatusOr<DispatchGroupRecord> DecodeGroup(std::string_view bytes) {
  return DecodeUpTo<DispatchGroupRecord>(
      kSecondFormat, "dispatch_group", bytes,
      [](ByteReader& reader, DispatchGroupRecord& record, uint64_t format) {
        TaskKey previous = 0;
        for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
          previous += static_cast<uint64_t>(reader.Signed());
          const auto dispatch = reader.Small<uint32_t>();
          record.entries.push_back({previous, dispatch, reader.Small<SessionNumber>()});
        }
        if (format >= kSecondFormat) record.at = ReadTime(reader);
      });
}

void Encode(const SessionRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Id(record.id);
  writer.Text(record.caller.subject);
  writer.Text(record.caller.client_id);
  writer.Text(record.name_space);
}

absl::StatusOr<SessionRecord> DecodeSession(std::string_view bytes) {
  return Decode<SessionRecord>("session", bytes, [](ByteReader& reader, SessionRecord& record) {
    record.id = SessionId(reader.Id());
    record.caller.subject = reader.Text();
    record.caller.client_id = reader.Text();
    record.name_space = reader.Text();
  });
}

void Encode(const ReferenceRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kThirdFormat);
  writer.Id(record.task);
  writer.Text(record.name_space);
  writer.Text(record.owner);
  writer.Text(record.reference);
  writer.Unsigned(record.hashes.size());
  for (const uint64_t hash : record.hashes) writer.Fixed64(hash);
}

absl::StatusOr<ReferenceRecord> DecodeReference(std::string_view bytes) {
  const auto read = [](ByteReader& reader, ReferenceRecord& record, uint64_t format) {
    record.task = TaskId(reader.Id());
    record.name_space = reader.Text();
    record.owner = reader.Text();
    record.reference = reader.Text();
    record.hashes = ReadHashes(reader, format);
  };
  return DecodeUpTo<ReferenceRecord>(kThirdFormat, "reference", bytes, read);
}

void Encode(const RequestRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kSecondFormat);
  WriteDigest(writer, record.request);
  WriteDigest(writer, record.content);
  writer.Time(record.created);
  writer.Unsigned(record.slot);
  writer.Unsigned(record.first_sequence);
  writer.Unsigned(record.count);
  writer.Fixed64(record.random);
  writer.Unsigned(record.exceptions.size());
  for (const auto& exception : record.exceptions) {
    writer.Unsigned(exception.index);
    writer.Id(exception.holder);
    writer.Text(exception.conflict);
    writer.Unsigned(exception.count);
  }
}

absl::StatusOr<RequestRecord> DecodeRequest(std::string_view bytes) {
  const auto read = [](ByteReader& reader, RequestRecord& record, uint64_t format) {
    record.request = ReadDigest(reader);
    record.content = ReadDigest(reader);
    record.created = reader.Time();
    record.slot = reader.Small<uint32_t>();
    record.first_sequence = reader.Unsigned();
    record.count = reader.Small<uint32_t>();
    record.random = reader.Fixed64();
    for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
      RequestRecord::Exception exception;
      exception.index = reader.Small<uint32_t>();
      exception.holder = TaskId(reader.Id());
      exception.conflict = reader.Text();
      if (format >= kSecondFormat) exception.count = reader.Small<uint32_t>();
      const uint64_t end = uint64_t{exception.index} + exception.count;
      if (exception.count == 0 || end > record.count) reader.Fail();
      record.exceptions.push_back(std::move(exception));
    }
  };
  return DecodeUpTo<RequestRecord>(kSecondFormat, "request", bytes, read);
}

void Encode(const TreeRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Id(record.root);
  writer.Unsigned(static_cast<uint64_t>(record.verb));
  writer.Unsigned(record.swept ? 1 : 0);
  writer.Unsigned(record.escalation_ms.has_value() ? *record.escalation_ms + uint64_t{1} : 0);
}

absl::StatusOr<TreeRecord> DecodeTree(std::string_view bytes) {
  return Decode<TreeRecord>("tree", bytes, [](ByteReader& reader, TreeRecord& record) {
    record.root = TaskId(reader.Id());
    record.verb = ReadVerb(reader);
    record.swept = reader.Unsigned() != 0;
    const uint64_t escalation = reader.Unsigned();
    if (escalation > UINT32_MAX) reader.Fail();
    if (escalation > 0) record.escalation_ms = static_cast<uint32_t>(escalation - 1);
  });
}

void Encode(const EndedDependencyRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Id(record.task);
  writer.Unsigned(static_cast<uint64_t>(record.end));
}

absl::StatusOr<EndedDependencyRecord> DecodeEndedDependency(std::string_view bytes) {
  return Decode<EndedDependencyRecord>("ended_dependency", bytes,
                                       [](ByteReader& reader, EndedDependencyRecord& record) {
                                         record.task = TaskId(reader.Id());
                                         const auto end = ReadEnd(reader);
                                         if (!end.has_value() || *end == TaskState::kSucceeded)
                                           reader.Fail();
                                         record.end = end.value_or(TaskState::kFailed);
                                       });
}

void Encode(const RouteRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Unsigned(kRouteObject);
  writer.Text(record.name_space);
  writer.Text(record.type);
  writer.Text(record.selector.has_value() ? record.selector->canonical() : "");
}

absl::StatusOr<RouteRecord> DecodeRoute(std::string_view bytes) {
  return Decode<RouteRecord>("object", bytes, [](ByteReader& reader, RouteRecord& record) {
    if (reader.Unsigned() != kRouteObject) reader.Fail();
    record.name_space = reader.Text();
    record.type = reader.Text();
    record.selector = ReadSelector(reader);
    if (!record.selector.has_value()) reader.Fail();
  });
}

void Encode(const ReuseRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Id(record.task);
  WriteDigest(writer, record.equal);
  writer.Time(record.ended);
  writer.Time(record.held_until);
}

absl::StatusOr<ReuseRecord> DecodeReuse(std::string_view bytes) {
  return Decode<ReuseRecord>("reuse", bytes, [](ByteReader& reader, ReuseRecord& record) {
    record.task = TaskId(reader.Id());
    record.equal = ReadDigest(reader);
    record.ended = reader.Time();
    record.held_until = reader.Time();
  });
}

void Encode(const StoredCheckpoint& checkpoint, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Id(checkpoint.id);
  writer.Unsigned(checkpoint.dispatch);
  writer.Text(checkpoint.data);
}

absl::StatusOr<StoredCheckpoint> DecodeCheckpoint(std::string_view bytes) {
  return Decode<StoredCheckpoint>("checkpoint", bytes,
                                  [](ByteReader& reader, StoredCheckpoint& checkpoint) {
                                    checkpoint.id = TaskId(reader.Id());
                                    checkpoint.dispatch = reader.Small<uint32_t>();
                                    checkpoint.data = reader.Text();
                                  });
}

void Encode(const LimitRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  WriteLimit(record, writer);
}

void Encode(const PauseRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  WritePause(record, writer);
}

absl::StatusOr<std::variant<LimitRecord, PauseRecord>> DecodeAdmission(std::string_view bytes) {
  using Either = std::variant<LimitRecord, PauseRecord>;
  return Decode<Either>("admission", bytes, ReadAdmission);
}

void Encode(const RestartRecord& record, std::string& bytes) { Begin(bytes).Id(record.successor); }

absl::StatusOr<RestartRecord> DecodeRestart(std::string_view bytes) {
  return Decode<RestartRecord>("restart", bytes, [](ByteReader& reader, RestartRecord& record) {
    record.successor = TaskId(reader.Id());
  });
}

void Encode(const Info& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  WriteInfo(writer, record);
}

absl::StatusOr<Info> DecodeInfo(std::string_view bytes) {
  return Decode<Info>("info", bytes,
                      [](ByteReader& reader, Info& record) { record = ReadInfo(reader); });
}

void Encode(uint64_t number, std::string& bytes) { Begin(bytes).Fixed64(number); }

absl::StatusOr<uint64_t> DecodeNumber(std::string_view bytes) {
  return Decode<uint64_t>("number", bytes,
                          [](ByteReader& reader, uint64_t& number) { number = reader.Fixed64(); });
}

void Encode(const std::vector<TaskView>& ended, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kThirdFormat);
  NameWriter names(writer);
  writer.Unsigned(ended.size());
  for (const TaskView& task : ended) {
    writer.Id(task.id);
    names.Write(task.name_space);
    names.Write(task.owner);
    names.Write(task.type);
    writer.Text(task.reference);
    writer.Signed(task.priority);
    writer.Unsigned(static_cast<uint64_t>(task.state));
    writer.Unsigned(task.failed_attempts);
    writer.Unsigned(task.dispatch);
    WriteTime(writer, task.ended_at);
    WriteFailure(writer, task.last_failure);
    WriteKin(writer, task.parent, task.root);
    WriteEndedParts(writer, task);
  }
}

absl::StatusOr<std::vector<TaskView>> DecodeEnded(std::string_view bytes) {
  return DecodeUpTo<std::vector<TaskView>>(
      kThirdFormat, "ended", bytes,
      [](ByteReader& reader, std::vector<TaskView>& ended, uint64_t format) {
        NameReader names(reader);
        for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
          TaskView task;
          task.id = TaskId(reader.Id());
          task.name_space = names.Read();
          task.owner = names.Read();
          task.type = names.Read();
          task.reference = reader.Text();
          task.priority = static_cast<int32_t>(reader.Signed());
          const auto state = ReadEnd(reader);
          if (!state.has_value()) reader.Fail();
          task.state = state.value_or(TaskState::kFailed);
          task.failed_attempts = reader.Small<uint32_t>();
          task.dispatch = reader.Small<uint32_t>();
          task.ended_at = ReadTime(reader);
          task.last_failure = ReadFailure(reader);
          if (format >= kSecondFormat) ReadKin(reader, task.parent, task.root);
          if (format >= kThirdFormat) ReadEndedParts(reader, task);
          ended.push_back(std::move(task));
        }
      });
}

}  // namespace kantoku::inputs
