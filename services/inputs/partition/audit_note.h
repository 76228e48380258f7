#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_AUDIT_NOTE_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_AUDIT_NOTE_H_

#include <map>
#include <string>
#include <string_view>

#include "services/inputs/engine/commands.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/identity/block_list.h"

// The audit trail of what somebody has asked a partition for and got: events beside those of what
// came of it. Each has `by` and `by_app` in its details, and the `why` that was given.
namespace kantoku::inputs {

// `audit.control`: of one task, or of the tree whose root it is. Seen by its owner, too.
AuditNote NoteOf(const ControlTasksCommand& command, const TaskView& task);
// `audit.info`: the names of what was set and removed; values may be secret.
AuditNote NoteOf(const PatchCommand& command, const InfoPatch& patch, const TaskView& task);
// `audit.restart`.
AuditNote NoteOf(const RestartCommand& command, const TaskView& dead, const TaskId& successor);
// `audit.executor`.
AuditNote NoteOf(const ExecutorCommand& command, const SessionId& session);
// `audit.route`, `audit.limit`, `audit.pause`.
AuditNote NoteOf(const RouteCommand& command);
AuditNote NoteOf(const LimitsCommand& command, const KeyName& name, const LimitValue* set);
AuditNote NoteOf(const PauseCommand& command);
// `audit.block`, `audit.unblock`: of the installation, so in the namespace of all.
AuditNote NoteOf(const BlocksCommand& command, const platform::Block& block);
AuditNote NoteOf(const BlocksCommand& command, const platform::BlockNames& lifted);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_AUDIT_NOTE_H_
