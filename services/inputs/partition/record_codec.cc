#include "services/inputs/partition/record_codec.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/partition/admission_codec.h"
#include "services/inputs/partition/record_fields.h"

namespace kantoku::inputs {
namespace {

using fields::Begin;
using fields::Decode;
using fields::DecodeUpTo;
using fields::kFifthFormat;
using fields::kFirstFormat;
using fields::kFourthFormat;
using fields::kSecondFormat;
using fields::kThirdFormat;
using fields::ReadAncestors;
using fields::ReadDigest;
using fields::ReadIdPart;
using fields::ReadInfo;
using fields::ReadInfoPart;
using fields::ReadKin;
using fields::ReadParts;
using fields::ReadSelector;
using fields::ReadTime;
using fields::WriteAncestors;
using fields::WriteDigest;
using fields::WriteIdPart;
using fields::WriteInfo;
using fields::WriteInfoPart;
using fields::WriteKin;
using fields::WriteTime;
using platform::ByteReader;
using platform::ByteWriter;

// Of a reference, in formats without their number.
constexpr size_t kFirstFormatHashes = 8;
constexpr size_t kSecondFormatHashes = 9;

// What an object record is.
constexpr uint64_t kRouteObject = 1;
constexpr uint64_t kBlockObject = 2;

// Optional parts of an ended task, likewise.
enum class EndedPart : uint64_t {
  kEnd = 0,
  kRestartedFrom = 1,
  kInfo = 2,
  kProvenance = 3,
  kAttempts = 4,
};

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
    if (cause >= kWaitCauses || time < 0 || times[cause] != 0) {
      reader.Fail();
    } else {
      times[cause] = time;
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

void WriteAttempts(ByteWriter& writer, const FailedAttempts& attempts) {
  writer.Unsigned(attempts.size());
  for (const FailedAttempt& attempt : attempts) {
    writer.Unsigned(attempt.dispatch);
    writer.Time(attempt.at);
    WriteFailure(writer, attempt.failure);
  }
}

FailedAttempts ReadAttempts(ByteReader& reader) {
  FailedAttempts attempts;
  for (uint64_t left = reader.Unsigned(); left > 0 && reader.good(); --left) {
    if (attempts.size() == kKeptAttempts) reader.Fail();
    FailedAttempt attempt{.dispatch = reader.Small<uint32_t>(), .at = reader.Time()};
    attempt.failure = ReadFailure(reader);
    attempts.push_back(std::move(attempt));
  }
  return attempts;
}

// A final state, or 0 for none; of another, the record is damaged.
std::optional<TaskState> ReadEnd(ByteReader& reader) {
  const auto state = static_cast<TaskState>(reader.Small<uint8_t>());
  if (state == TaskState{}) return std::nullopt;
  if (!IsFinal(state)) reader.Fail();
  return state;
}

ControlVerb ReadVerb(ByteReader& reader) {
  const auto verb = static_cast<ControlVerb>(reader.Small<uint8_t>());
  if (verb < ControlVerb::kCancel || verb > ControlVerb::kResume) reader.Fail();
  return verb;
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

void WriteEndedParts(ByteWriter& writer, NameWriter& names, const TaskView& task) {
  WriteIdPart(writer, static_cast<uint64_t>(EndedPart::kRestartedFrom), task.restarted_from);
  WriteInfoPart(writer, static_cast<uint64_t>(EndedPart::kInfo), task.info.get());
  if (const Provenance& provenance = task.provenance; !provenance.empty()) {
    writer.Unsigned(static_cast<uint64_t>(EndedPart::kProvenance));
    names.Write(provenance.app);
    names.Write(provenance.executor_owner);
    names.Write(provenance.root_app);
    names.Write(provenance.spawn_scope);
    WriteAncestors(writer, provenance.ancestors.get());
  }
  if (task.attempts != nullptr) {
    writer.Unsigned(static_cast<uint64_t>(EndedPart::kAttempts));
    WriteAttempts(writer, *task.attempts);
  }
  writer.Unsigned(static_cast<uint64_t>(EndedPart::kEnd));
}

void ReadEndedParts(ByteReader& reader, NameReader& names, TaskView& task) {
  ReadParts<EndedPart>(reader, [&](EndedPart part) {
    switch (part) {
      case EndedPart::kRestartedFrom:
        task.restarted_from = ReadIdPart(reader);
        break;
      case EndedPart::kInfo:
        task.info = ReadInfoPart(reader);
        break;
      case EndedPart::kProvenance:
        task.provenance.app = names.Read();
        task.provenance.executor_owner = names.Read();
        task.provenance.root_app = names.Read();
        task.provenance.spawn_scope = names.Read();
        task.provenance.ancestors = ReadAncestors(reader, task.parent);
        break;
      case EndedPart::kAttempts:
        task.attempts = std::make_shared<const FailedAttempts>(ReadAttempts(reader));
        if (task.attempts->empty()) reader.Fail();
        break;
      default:
        reader.Fail();
    }
  });
}

}  // namespace

void Encode(const StateRecord& record, std::string& bytes) {
  ByteWriter writer = Begin(bytes, kFifthFormat);
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
  WriteAttempts(writer, record.attempts);
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
    if (format >= kFifthFormat) record.attempts = ReadAttempts(reader);
  };
  return DecodeUpTo<StateRecord>(kFifthFormat, "state", bytes, read);
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
  ByteWriter writer = Begin(bytes, record.parent.empty() ? kThirdFormat : kFourthFormat);
  writer.Id(record.task);
  writer.Text(record.name_space);
  writer.Text(record.owner);
  writer.Text(record.reference);
  writer.Unsigned(record.hashes.size());
  for (const uint64_t hash : record.hashes) writer.Fixed64(hash);
  if (!record.parent.empty()) writer.Id(record.parent);
}

absl::StatusOr<ReferenceRecord> DecodeReference(std::string_view bytes) {
  const auto read = [](ByteReader& reader, ReferenceRecord& record, uint64_t format) {
    record.task = TaskId(reader.Id());
    record.name_space = reader.Text();
    record.owner = reader.Text();
    record.reference = reader.Text();
    record.hashes = ReadHashes(reader, format);
    if (format >= kFourthFormat) record.parent = TaskId(reader.Id());
  };
  return DecodeUpTo<ReferenceRecord>(kFourthFormat, "reference", bytes, read);
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

void Encode(const platform::Block& block, std::string& bytes) {
  ByteWriter writer = Begin(bytes);
  writer.Unsigned(kBlockObject);
  writer.Text(block.names.user);
  writer.Text(block.names.app);
  writer.Text(block.names.executor);
  const bool of_some = block.tokens_until != absl::InfiniteFuture();
  writer.Unsigned(of_some ? 1 : 0);
  if (of_some) writer.Time(block.tokens_until);
  writer.Text(block.reason);
  writer.Text(block.set_by);
  writer.Time(block.set);
}

namespace {

RouteRecord ReadRoute(ByteReader& reader) {
  RouteRecord record;
  record.name_space = reader.Text();
  record.type = reader.Text();
  record.selector = ReadSelector(reader);
  if (!record.selector.has_value()) reader.Fail();
  return record;
}

platform::Block ReadBlock(ByteReader& reader) {
  platform::Block block;
  block.names.user = reader.Text();
  block.names.app = reader.Text();
  block.names.executor = reader.Text();
  if (reader.Unsigned() != 0) block.tokens_until = reader.Time();
  block.reason = reader.Text();
  block.set_by = reader.Text();
  block.set = reader.Time();
  if (block.names.empty()) reader.Fail();
  return block;
}

}  // namespace

absl::StatusOr<std::variant<RouteRecord, platform::Block>> DecodeObject(std::string_view bytes) {
  using Either = std::variant<RouteRecord, platform::Block>;
  return Decode<Either>("object", bytes, [](ByteReader& reader, Either& record) {
    const uint64_t what = reader.Unsigned();
    if (what == kRouteObject) {
      record = ReadRoute(reader);
    } else if (what == kBlockObject) {
      record = ReadBlock(reader);
    } else {
      reader.Fail();
    }
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

void Encode(const StoredInbox& record, std::string& bytes) {
  const bool refused = !record.refusal.empty();
  ByteWriter writer = Begin(bytes, refused ? kSecondFormat : kFirstFormat);
  writer.Id(record.id);
  for (const std::string_view text : {record.role, record.name_space, record.owner, record.type,
                                      record.options, record.payload}) {
    writer.Text(text);
  }
  if (refused) WriteFailure(writer, record.refusal);
}

absl::StatusOr<StoredInbox> DecodeInbox(std::string_view bytes) {
  const auto read = [](ByteReader& reader, StoredInbox& record, uint64_t format) {
    record.id = TaskId(reader.Id());
    for (std::string_view* const text : {&record.role, &record.name_space, &record.owner,
                                         &record.type, &record.options, &record.payload}) {
      *text = reader.Text();
    }
    if (format >= kSecondFormat) record.refusal = ReadFailure(reader);
  };
  return DecodeUpTo<StoredInbox>(kSecondFormat, "inbox", bytes, read);
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
    WriteEndedParts(writer, names, task);
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
          if (format >= kThirdFormat) ReadEndedParts(reader, names, task);
          ended.push_back(std::move(task));
        }
      });
}

}  // namespace kantoku::inputs
