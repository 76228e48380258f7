#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_CODEC_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_CODEC_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/types.h"

// Records of Inputs as bytes. Each begins with the format of its kind, one byte; older formats are
// read, an unknown one, a missing or a left-over byte is DATA_LOSS. Encoders append to `bytes`.
namespace kantoku::inputs {

// A spec record. Texts live as long as the bytes they were read from.
struct StoredSpec {
  TaskId id;
  std::string_view name_space;
  std::string_view owner;
  TaskSpec spec;  // Without hashes.
  std::string_view content_type;
  std::string_view payload;
};

// Everything behind the header, which is format, id and kin: it can be made before they are known.
inline uint32_t SpecHeaderBytes(const TaskSpec& spec) {
  return spec.parent.empty() && spec.root.empty() ? 18 : 50;
}
// Where in the bytes a body has what.
struct SpecPlaces {
  size_t payload_end = 0;   // Before it stand the payload, its size and the content type.
  size_t dependencies = 0;  // The first dependency; 0: there is none. The others follow.
};
SpecPlaces EncodeSpecBody(std::string_view name_space, std::string_view owner, const TaskSpec& spec,
                          std::string_view content_type, std::string_view payload,
                          std::string& bytes);
// What a dependency takes in a body. It begins with the id; where that is not known yet, with the
// place in the batch, and is to be overwritten.
inline constexpr size_t kDependencyBytes = TaskId::kSize + 1;
// Equal bytes for equal placements.
std::string EncodePlacement(const Placement& placement);
// In a tree `root` is not empty; `parent` may be, of the root's own successor. Returns where in
// `bytes` the body is. The provenance, of which at most a kilobyte is not known before the task is
// accepted, and the order do not count as TaskSpec::stored_bytes.
size_t EncodeSpec(const TaskId& id, const TaskId& parent, const TaskId& root,
                  const Provenance& provenance, std::string_view body, std::string& bytes,
                  TaskKey order = 0);
absl::StatusOr<StoredSpec> DecodeSpec(std::string_view bytes);

// What was spawned by SQL. Written by {component}_inbox_put (platform/store/postgres/migrations) in
// the first format, and by the partition once more when it is refused. Texts live as long as the
// bytes they were read from.
struct StoredInbox {
  TaskId id;
  std::string_view role;  // Of the database.
  std::string_view name_space;
  std::string_view owner;
  std::string_view type;
  std::string_view options;  // JSON of the other fields of a TaskSpec.
  std::string_view payload;
  Failure refusal{};  // What it has to end of; empty: that is not decided. Of its own texts.
};
void Encode(const StoredInbox& record, std::string& bytes);
absl::StatusOr<StoredInbox> DecodeInbox(std::string_view bytes);

// What a dispatch left to the next one. `data` lives as long as the bytes it was read from.
struct StoredCheckpoint {
  TaskId id;
  uint32_t dispatch = 0;
  std::string_view data;
};
void Encode(const StoredCheckpoint& checkpoint, std::string& bytes);
absl::StatusOr<StoredCheckpoint> DecodeCheckpoint(std::string_view bytes);

void Encode(const StateRecord& record, std::string& bytes);
void Encode(const DispatchGroupRecord& record, std::string& bytes);
void Encode(const SessionRecord& record, std::string& bytes);
void Encode(const ReferenceRecord& record, std::string& bytes);
void Encode(const RequestRecord& record, std::string& bytes);
void Encode(const TreeRecord& record, std::string& bytes);
void Encode(const EndedDependencyRecord& record, std::string& bytes);
void Encode(const ReuseRecord& record, std::string& bytes);
void Encode(const RouteRecord& record, std::string& bytes);
void Encode(const platform::Block& block, std::string& bytes);
void Encode(const LimitRecord& record, std::string& bytes);
void Encode(const PauseRecord& record, std::string& bytes);
void Encode(const RestartRecord& record, std::string& bytes);
void Encode(const Info& record, std::string& bytes);
void Encode(uint64_t number, std::string& bytes);
// Names that several tasks share are written once.
void Encode(const std::vector<TaskView>& ended, std::string& bytes);

absl::StatusOr<StateRecord> DecodeState(std::string_view bytes);
absl::StatusOr<DispatchGroupRecord> DecodeGroup(std::string_view bytes);
absl::StatusOr<SessionRecord> DecodeSession(std::string_view bytes);
absl::StatusOr<ReferenceRecord> DecodeReference(std::string_view bytes);
absl::StatusOr<RequestRecord> DecodeRequest(std::string_view bytes);
absl::StatusOr<TreeRecord> DecodeTree(std::string_view bytes);
absl::StatusOr<EndedDependencyRecord> DecodeEndedDependency(std::string_view bytes);
absl::StatusOr<ReuseRecord> DecodeReuse(std::string_view bytes);
absl::StatusOr<std::variant<RouteRecord, platform::Block>> DecodeObject(std::string_view bytes);
absl::StatusOr<std::variant<LimitRecord, PauseRecord>> DecodeAdmission(std::string_view bytes);
absl::StatusOr<RestartRecord> DecodeRestart(std::string_view bytes);
absl::StatusOr<Info> DecodeInfo(std::string_view bytes);
absl::StatusOr<uint64_t> DecodeNumber(std::string_view bytes);
absl::StatusOr<std::vector<TaskView>> DecodeEnded(std::string_view bytes);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_RECORD_CODEC_H_
