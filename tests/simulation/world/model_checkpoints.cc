#include <string>

#include "absl/strings/numbers.h"
#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/names.h"

// What dispatches leave to the next ones. Who leaves something says first who it is, and last how
// many items came before.
namespace kantoku::simulation {

void Model::CheckpointWritten(TaskKey key, std::string_view bytes) {
  const auto record = inputs::DecodeCheckpoint(bytes);
  ModelTask* const task = Find(key);
  scene_.Expect(record.ok() && task != nullptr && task->id == record->id && !task->end.has_value(),
                "only living tasks have a checkpoint");
  if (!record.ok() || task == nullptr) return;
  // What was left just before the end of a dispatch is recorded with the next one at the latest.
  const bool followed = went_.contains(key) && record->dispatch + 1 == task->dispatch;
  scene_.Expect(record->dispatch == task->dispatch || followed,
                "a dispatch that is over leaves nothing to others");
  const auto holder = task->given_to.find(record->dispatch);
  scene_.Expect(
      holder != task->given_to.end() && record->data.starts_with(holder->second.ToString()),
      "only who holds a dispatch leaves something to the next");
  const auto items = task->items.find(record->dispatch);
  scene_.Expect(ItemsBefore(record->data) <= (items == task->items.end() ? 0 : items->second),
                "a checkpoint leaves after all items before it");
  scene_.CountStep();
  task->checkpoint_of = record->dispatch;
  task->checkpoint = record->data;
  if (followed) task->begins_with = task->checkpoint;
}

void Model::CheckpointErased(TaskKey key) {
  ModelTask* const task = Find(key);
  if (task == nullptr) return;
  scene_.Expect(task->end.has_value(), "a checkpoint stays until its task has ended");
  task->checkpoint.clear();
}

void Model::CheckCheckpoint(const ModelTask& task, const inputs::v1::Dispatch& dispatch) const {
  // Its own is from a liar, who could say so before it was told.
  const bool its_own = task.checkpoint_of == dispatch.dispatch();
  scene_.Expect(dispatch.checkpoint() == task.begins_with ||
                    (its_own && dispatch.checkpoint() == task.checkpoint),
                "a handler begins with what the dispatch before has left");
}

void Model::CheckConfirmed(const inputs::v1::CheckpointConfirmed& confirmed) const {
  const ModelTask* const task = Find(*TaskId::FromBytes(confirmed.task_id()));
  if (task == nullptr || task->end.has_value() || confirmed.status().code() != 0) return;
  scene_.Expect(task->checkpoint_of >= confirmed.dispatch(),
                "a checkpoint is confirmed when it is durable");
}

}  // namespace kantoku::simulation
