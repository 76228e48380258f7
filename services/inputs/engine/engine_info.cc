#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Info and contexts of living tasks. A spec holds them as they were spawned; a record of its own
// comes with the first patch.
namespace kantoku::inputs {

using platform::Error;

namespace {

std::string ContextKey(std::string_view name_space, std::string_view context) {
  std::string key;
  key.reserve(name_space.size() + context.size() + 1);
  key.append(name_space).push_back('\0');
  key.append(context);
  return key;
}

std::vector<Label> Patched(const Labels& labels, const InfoPatch& patch) {
  std::vector<Label> entries;
  for (const Label& label : labels) {
    const bool removed = std::ranges::find(patch.remove, label.name) != patch.remove.end();
    const bool set = std::ranges::find(patch.set, label.name, &Label::name) != patch.set.end() ||
                     KANTOKU_PLANTED("patch drops what it does not name");
    if (!removed && !set) entries.push_back(label);
  }
  entries.insert(entries.end(), patch.set.begin(), patch.set.end());
  return entries;
}

}  // namespace

absl::Status Engine::CheckInfoBytes(std::string_view field, size_t more) const {
  if (more == 0 || info_bytes_ + more <= options_.max_info_bytes) return absl::OkStatus();
  return Error(
      absl::StatusCode::kResourceExhausted, "INFO_LIMIT",
      absl::StrCat(platform::ToAbsl(field), ": ", more, " more bytes exceed the server's limit of ",
                   options_.max_info_bytes, " for info of living tasks"));
}

absl::Status Engine::CheckInfo(std::span<const TaskSpec> specs) const {
  size_t bytes = 0;
  for (const TaskSpec& spec : specs) {
    if (spec.info != nullptr) bytes += BytesOf(*spec.info);
  }
  return CheckInfoBytes("specs.info", bytes);
}

void Engine::SetInfo(TaskIndex index, std::shared_ptr<const Info> info) {
  Task& task = tasks_.at(index);
  std::shared_ptr<const Info>& own = infos_[task.key()];
  if (own != nullptr) {
    info_bytes_ -= BytesOf(*own);
  } else if (!info->context.empty()) {  // For good: patches leave it.
    contexts_[ContextKey(matcher_.name_space(task.lane), info->context)].insert(task.key());
  }
  task.has_info = true;
  info_bytes_ += BytesOf(*info);
  own = std::move(info);
}

void Engine::DropInfo(TaskIndex index, Effects& effects) {
  const Task& task = tasks_.at(index);
  const auto own = infos_.find(task.key());
  const Info& info = *own->second;
  info_bytes_ -= BytesOf(info);
  if (info.revision > 0) effects.infos.push_back({task.key(), std::nullopt});
  if (!info.context.empty()) {
    const auto members = contexts_.find(ContextKey(matcher_.name_space(task.lane), info.context));
    members->second.erase(task.key());
    if (members->second.empty()) contexts_.erase(members);
  }
  infos_.erase(own);
}

InfoAnswer Engine::PatchInfo(const InfoPatch& patch, Effects& effects) {
  const TaskIndex index = tasks_.Find(patch.task);
  if (index == kNoTask) {
    return {.status = Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK", "no such task")};
  }
  const Task& task = tasks_.at(index);
  static const Info& none = *new Info();
  const Info& before = task.has_info ? *infos_.at(task.key()) : none;
  if (patch.expected.value_or(before.revision) != before.revision &&
      !KANTOKU_PLANTED("patch ignores the revision")) {
    return {.status = Error(absl::StatusCode::kAborted, "REVISION_DIFFERS",
                            absl::StrCat("expected_revision: ", *patch.expected, " of task ",
                                         task.id.ToString(), " is not its revision, which is ",
                                         before.revision)),
            .revision = before.revision};
  }
  auto labels = MakeInfo(Patched(before.labels, patch));
  if (!labels.ok()) return {.status = platform::Annotate(labels.status(), "info")};
  if (*labels == before.labels) return {.revision = before.revision};
  auto info =
      std::make_shared<const Info>(Info{before.context, *std::move(labels), before.revision + 1});
  const size_t had = task.has_info ? BytesOf(before) : 0;
  if (const size_t bytes = BytesOf(*info); bytes > had) {
    if (absl::Status room = CheckInfoBytes("info", bytes - had); !room.ok())
      return {.status = room};
  }
  if (!KANTOKU_PLANTED("patch not recorded")) effects.infos.push_back({task.key(), *info});
  const uint64_t revision = info->revision;
  SetInfo(index, std::move(info));
  return {.revision = revision};
}

TaskIndex Engine::NextListed(const TaskFilter& filter, TaskKey from) const {
  if (filter.context.empty()) {
    const uint32_t slot = SlotOf(filter.name_space);
    for (const uint32_t each : {slot, slot + TaskId::kOutside}) {
      const TaskKey first = TaskKey{each} << TaskId::kSequenceBits;
      const TaskIndex index = tasks_.LowerBound(std::max(from, first));
      if (index != kNoTask && tasks_.at(index).id.slot() == each) return index;
    }
    return kNoTask;
  }
  const auto members = contexts_.find(ContextKey(filter.name_space, filter.context));
  if (members == contexts_.end()) return kNoTask;
  const auto member = members->second.lower_bound(from);
  return member == members->second.end() ? kNoTask : tasks_.FindKey(*member);
}

void Engine::RecoverInfo(TaskKey key, Info record) {
  const TaskIndex index = tasks_.FindKey(key);
  if (index == kNoTask || KANTOKU_PLANTED("patch lost in recovery")) return;
  SetInfo(index, std::make_shared<const Info>(std::move(record)));
}

}  // namespace kantoku::inputs
