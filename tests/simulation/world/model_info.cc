#include <memory>

#include "services/inputs/partition/record_codec.h"
#include "tests/simulation/world/model.h"

// What users find tasks by: labels, revision by revision, and a context for good.
namespace kantoku::simulation {
namespace {

LabelMap EntriesOf(const inputs::Info& info) {
  LabelMap entries;
  for (const inputs::Label& label : info.labels) entries[label.name] = label.value;
  return entries;
}

}  // namespace

void Model::TakeInfo(ModelTask& task) {
  const inputs::Info info = task.spec->info == nullptr ? inputs::Info() : *task.spec->info;
  scene_.Expect(info.revision == 0, "nobody is patched before he is there");
  task.context = info.context;
  task.labels = {EntriesOf(info)};
}

void Model::InfoWritten(TaskKey key, std::string_view bytes) {
  const auto info = inputs::DecodeInfo(bytes);
  ModelTask* const task = Find(key);
  scene_.Expect(info.ok() && task != nullptr && !task->end.has_value(),
                "only living tasks are patched");
  if (!info.ok() || task == nullptr) return;
  scene_.CountStep();
  patched_.insert(key);
  scene_.Expect(info->context == task->context, "a patch leaves the context");
  scene_.Expect(info->revision == task->labels.size(), "each patch makes one revision");
  task->labels.push_back(EntriesOf(*info));
}

// Once rows have been read.
void Model::CheckInfoErased() {
  for (const TaskKey key : erased_infos_) {
    const ModelTask* const task = Find(key);
    scene_.Expect(task == nullptr || task->end.has_value(), "info stays until its task has ended");
    patched_.erase(key);
  }
}

bool Model::HasInfo(const ModelTask& task, const std::shared_ptr<const inputs::Info>& shown) {
  const inputs::Info info = shown == nullptr ? inputs::Info() : *shown;
  return info.context == task.context && info.revision + 1 == task.labels.size() &&
         EntriesOf(info) == task.labels.back();
}

}  // namespace kantoku::simulation
