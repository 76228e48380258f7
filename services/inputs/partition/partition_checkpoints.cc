#include <algorithm>
#include <utility>

#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/status_proto.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// What dispatches leave to the next ones. The engine does not see it: it decides nothing.
namespace kantoku::inputs {

using platform::Now;
using platform::Transaction;

namespace {

void SetConfirmed(const TaskId& task, uint32_t dispatch, uint64_t number,
                  v1::CheckpointConfirmed& confirmed) {
  confirmed.set_task_id(std::string(task.bytes()));
  confirmed.set_dispatch(dispatch);
  confirmed.set_number(number);
}

}  // namespace

absl::Status Partition::ApplyCheckpoint(ConnectionId connection,
                                        const SessionFrame::Checkpoint& checkpoint,
                                        const Now& now) {
  const auto& [about, number, data, unsound] = checkpoint;
  absl::Status held = engine_.CheckHeld(connection, about.task, about.dispatch);
  if (!held.ok() && !KANTOKU_PLANTED("checkpoint of a stale dispatch handed on")) return held;
  absl::Status refusal = unsound;
  if (refusal.ok()) {
    refusal = checkpoints_.Take({connection, about.task, about.dispatch, number, data}, now.steady);
  }
  if (!refusal.ok()) {
    v1::CheckpointConfirmed& answer = *FrameFor(connection).add_checkpoints_confirmed();
    SetConfirmed(about.task, about.dispatch, number, answer);
    SetStatus(refusal, *answer.mutable_status());
  }
  return absl::OkStatus();
}

// Comes after all other records: what a task keeps goes with it, and what the next dispatch begins
// with is durable when that is.
void Partition::WriteCheckpoints(Transaction& transaction) {
  for (const TaskKey task : effects_.erased_specs) {
    checkpoints_.Forget(task, transaction.batch());
  }
  for (const DispatchMessage& message : effects_.dispatches) {
    checkpoints_.Hurry(message.task.key());
  }
  checkpoints_.Write(now_.steady, transaction.batch(),
                     [this](const CheckpointBook::Checkpoint& recorded) {
                       if (!channels_.contains(recorded.connection)) return;
                       SetConfirmed(recorded.task, recorded.dispatch, recorded.number,
                                    *FrameFor(recorded.connection).add_checkpoints_confirmed());
                     });
}

absl::StatusOr<Partition::Checkpoints> Partition::ReadCheckpoints(std::span<const TaskKey> tasks) {
  std::vector<TaskKey> keys;
  std::ranges::copy_if(tasks, std::back_inserter(keys),
                       [this](TaskKey task) { return checkpoints_.Has(task); });
  Checkpoints checkpoints;
  if (keys.empty()) return checkpoints;
  KANTOKU_RETURN_IF_ERROR(store_->Read({ToKind(RecordKind::kCheckpoint), keys},
                                       [&](TaskKey key, std::string_view bytes) {
                                         const auto record = DecodeCheckpoint(bytes);
                                         if (record.ok() && record->id.key() == key)
                                           checkpoints[key] = std::string(record->data);
                                       }));
  return checkpoints;
}

}  // namespace kantoku::inputs
