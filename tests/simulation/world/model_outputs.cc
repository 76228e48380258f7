#include <algorithm>
#include <string>

#include "services/outputs/item_codec.h"
#include "services/outputs/store.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/names.h"

// What Outputs holds: ends, fences, and what handlers yield. Each item says whose it is and which,
// so that it can be told.
namespace kantoku::simulation {

using platform::WriteBatch;

namespace {

TaskState StateOf(outputs::ResultStatus status) {
  switch (status) {
    case outputs::ResultStatus::kSucceeded:
      return TaskState::kSucceeded;
    case outputs::ResultStatus::kCancelled:
      return TaskState::kCancelled;
    default:
      return TaskState::kFailed;
  }
}

executor::ArgumentStatus ArgumentStatusOf(TaskState end) {
  switch (end) {
    case TaskState::kSucceeded:
      return executor::ArgumentStatus::kSucceeded;
    case TaskState::kCancelled:
      return executor::ArgumentStatus::kCancelled;
    default:
      return executor::ArgumentStatus::kFailed;
  }
}

constexpr std::string_view kArgumentsPromise =
    "a handler gets the results of its arguments, in their order";

}  // namespace

void Model::OnOutputsDurable(const WriteBatch& batch) {
  Fold(batch);
  for (const WriteBatch::Operation& operation : batch.operations()) {
    if (operation.type != WriteBatch::Operation::Type::kPut) {
      if (operation.kind == outputs::kStreamKind) streams_.erase(operation.first);
      continue;
    }
    if (operation.kind == outputs::kStreamKind) {
      StreamWritten(operation.first, batch.value(operation));
      continue;
    }
    if (operation.kind == outputs::kItemsKind) {
      ItemsWritten(operation.first, batch.value(operation));
      continue;
    }
    ModelTask* const task = Find(operation.first);
    if (task == nullptr) continue;
    if (operation.kind == outputs::kResultKind) {
      const auto result = outputs::DecodeResult(batch.value(operation));
      if (!result.ok()) return scene_.Expect(false, "records can be read");
      const TaskState end = StateOf(result->status);
      scene_.Expect(!task->outputs_end.has_value() || task->outputs_end == end,
                    "the first terminal result stays the only one");
      scene_.Expect(task->outputs_end.has_value() || end != TaskState::kSucceeded ||
                        result->dispatch > task->fenced_dispatch,
                    "a fenced dispatch gets no result in");
      if (end == TaskState::kSucceeded && !task->outputs_end.has_value()) {
        CheckItemsBefore(*task, result->dispatch, result->data);
      }
      if (end == TaskState::kSucceeded && !task->outputs_end.has_value()) PureResultStored(*task);
      task->outputs_end = end;
      results_.try_emplace(task->id, Result{end, std::string(result->data), result->expires});
    } else if (operation.kind == outputs::kFenceKind) {
      const auto fence = outputs::DecodeFence(batch.value(operation));
      if (!fence.ok()) return scene_.Expect(false, "records can be read");
      task->fenced_dispatch = std::max(task->fenced_dispatch, fence->dispatch);
    }
  }
}

void Model::StreamWritten(uint64_t number, std::string_view bytes) {
  const auto stream = outputs::DecodeStream(bytes);
  if (!stream.ok()) return scene_.Expect(false, "records can be read");
  streams_.insert_or_assign(number, std::pair(stream->task, stream->dispatch));
}

void Model::ItemsWritten(uint64_t key, std::string_view bytes) {
  const auto record = outputs::DecodeItems(bytes);
  const auto stream = streams_.find(key >> outputs::kItemSequenceBits);
  scene_.Expect(record.ok() && stream != streams_.end(), "records can be read");
  if (!record.ok() || stream == streams_.end()) return;
  const auto& [id, dispatch] = stream->second;
  ModelTask* const task = Find(id.key());
  if (task == nullptr || task->id != id) return;
  scene_.Expect(dispatch > task->fenced_dispatch, "a fenced dispatch gets no item in");
  scene_.Expect(!task->outputs_end.has_value(), "no item comes after the end");
  uint64_t& held = task->items[dispatch];
  uint64_t sequence = key & ((uint64_t{1} << outputs::kItemSequenceBits) - 1);
  scene_.Expect(sequence == held + 1, "items are stored once each, in their order");
  for (const outputs::Item& item : record->items) {
    scene_.Expect(item.data == ItemText(id, dispatch, sequence++),
                  "items are stored once each, in their order");
  }
  held = sequence - 1;
}

// Outputs shows nothing of its result any more, and has forgotten it while the wall clock was
// ahead.
void Model::OnResultGone(const TaskId& id, absl::Time wall) const {
  const auto result = results_.find(id);
  scene_.Expect(result == results_.end() || result->second.expires <= std::max(wall, latest_wall_),
                "a result is kept as long as was asked for");
}

void Model::CheckArguments(const ModelTask& task,
                           std::span<const executor::TaskArgument> arguments) const {
  auto given = arguments.begin();
  for (const inputs::Dependency& dependency : task.spec->dependencies) {
    if (!dependency.argument) continue;
    if (given == arguments.end()) return scene_.Expect(false, kArgumentsPromise);
    const auto result = results_.find(dependency.task);
    scene_.Expect(result != results_.end() && given->task_id == dependency.task &&
                      given->data == result->second.data &&
                      given->status == ArgumentStatusOf(result->second.end),
                  kArgumentsPromise);
    ++given;
  }
  scene_.Expect(given == arguments.end(), kArgumentsPromise);
}

void Model::CheckItemsBefore(const ModelTask& task, uint32_t dispatch,
                             std::string_view data) const {
  const auto held = task.items.find(dispatch);
  const uint64_t items = held == task.items.end() ? 0 : held->second;
  scene_.Expect(data.empty() || data == ResultText(task.id, items),
                "a result is stored after all items of its dispatch");
}

}  // namespace kantoku::simulation
