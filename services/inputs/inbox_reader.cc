#include "services/inputs/inbox_reader.h"

#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

using platform::Error;

absl::Status BadOptions(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "BAD_OPTIONS",
               absl::StrCat("options: ", platform::ToAbsl(what)));
}

// In JSON bytes are base64, and so is, by its characters, a UUID: its 36 make 27 bytes, which no id
// has.
void ReadUuid(std::string& bytes) {
  if (bytes.size() != 27) return;
  const auto id = TaskId::Parse(absl::WebSafeBase64Escape(bytes));
  if (id.ok()) bytes = id->bytes();
}

absl::Status ReadOptions(const StoredInbox& record, task::v1::TaskSpec& spec) {
  const google::protobuf::util::JsonParseOptions strict;  // Knows no unknown fields.
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(std::string(record.options), &spec, strict);
  if (!parsed.ok()) {
    return BadOptions(std::string(parsed.message().data(), parsed.message().size()));
  }
  if (!spec.type().empty() || !spec.payload().empty()) {
    return BadOptions("type and payload are arguments of their own");
  }
  if (spec.has_reuse_within()) {
    return Error(absl::StatusCode::kInvalidArgument, "NOT_FROM_SQL",
                 "reuse_within: whoever spawns by SQL has the id before there is a result");
  }
  spec.set_type(std::string(record.type));
  spec.set_payload(std::string(record.payload));
  ReadUuid(*spec.mutable_parent_id());
  ReadUuid(*spec.mutable_root_id());
  for (task::v1::Dependency& dependency : *spec.mutable_dependencies()) {
    if (dependency.has_index()) {
      return Error(absl::StatusCode::kInvalidArgument, "NOT_FROM_SQL",
                   "dependencies.index: each task by SQL is a call of its own; name ids");
    }
    ReadUuid(*dependency.mutable_task_id());
  }
  return absl::OkStatus();
}

}  // namespace

InboxReader::InboxReader(const std::vector<DatabaseRole>& roles, const SpecLimits& limits,
                         const platform::BlockBook& blocks)
    : limits_(limits), blocks_(blocks) {
  for (const DatabaseRole& role : roles) {
    platform::Identity& spawner = spawners_[role.name];
    spawner.subject = role.owner;
    spawner.client_id = absl::StrCat("sql:", role.name);
    spawner.scopes = platform::Scopes::Parse(role.scope);
    spawner.namespaces = {role.name_space};
  }
}

absl::StatusOr<const platform::Identity*> InboxReader::Spawner(const StoredInbox& record) const {
  const auto spawner = spawners_.find(record.role);
  if (spawner == spawners_.end() || spawner->second.subject != record.owner ||
      !spawner->second.MayUse(record.name_space)) {
    return Error(
        absl::StatusCode::kUnavailable, "ROLE_UNKNOWN",
        absl::StrCat("inputs.database_roles does not have role \"", platform::ToAbsl(record.role),
                     "\" for owner \"", platform::ToAbsl(record.owner), "\" in namespace \"",
                     platform::ToAbsl(record.name_space), "\""));
  }
  KANTOKU_RETURN_IF_ERROR(blocks_.Check(spawner->second));
  return &spawner->second;
}

absl::StatusOr<std::shared_ptr<const SpawnBatch>> InboxReader::Read(const StoredInbox& record,
                                                                    absl::Time now) const {
  KANTOKU_ASSIGN_OR_RETURN(const platform::Identity* const spawner, Spawner(record));
  platform::Received<v1::SpawnRequest> received;
  v1::SpawnRequest& request = received.message;
  request.set_namespace_(std::string(record.name_space));
  request.set_request_id(record.id.ToString());
  KANTOKU_RETURN_IF_ERROR(ReadOptions(record, *request.add_specs()));
  KANTOKU_ASSIGN_OR_RETURN(CheckedSpawn checked, ReadSpawn(received, *spawner, limits_, now));
  KANTOKU_RETURN_IF_ERROR(checked.statuses.front());
  return std::move(checked.batch);
}

}  // namespace kantoku::inputs
