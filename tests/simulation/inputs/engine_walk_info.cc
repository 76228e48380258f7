#include <algorithm>
#include <string>
#include <utility>

#include "services/platform/status.h"
#include "tests/simulation/inputs/engine_walk.h"

// Info, contexts and quotas, held against a model that patches by itself.
namespace kantoku::inputs::testing {
namespace {

std::string ContextOf(const TaskView& view) {
  return view.info == nullptr ? std::string() : view.info->context;
}

}  // namespace

void EngineWalk::Describe(TaskSpec& spec) {
  if (Chance(70)) return;
  Info info;
  if (Chance(70)) info.context = "context-" + std::to_string(Pick(3));
  if (info.context.empty() || Chance(50)) {
    info.labels = *MakeInfo({{"a", std::to_string(Pick(3))}, {"b", "x"}});
  }
  spec.info = std::make_shared<const Info>(std::move(info));
}

void EngineWalk::Patch() {
  const auto task = AnyTask();
  if (!task.has_value()) return;
  InfoPatch patch{.task = *task};
  if (Chance(70)) patch.set.push_back({"a", std::to_string(Pick(3))});
  if (Chance(20)) patch.set.push_back({"c", std::string(Pick(200), 'c')});
  if (Chance(40)) patch.remove.emplace_back(Chance(50) ? "b" : "c");
  if (Chance(30)) patch.expected = Pick(3);
  const bool lives = engine_->Find(*task).has_value();
  const InfoAnswer answer = engine_->PatchInfo(patch, open_.effects);
  if (!lives) {
    Expect(platform::ReasonOf(answer.status) == "NO_SUCH_TASK", "only living tasks are patched");
    return;
  }
  const auto known = infos_.find(*task);
  Info expected = known == infos_.end() ? Info() : known->second;
  const bool differs = patch.expected.has_value() && *patch.expected != expected.revision;
  if (platform::ReasonOf(answer.status) == "INFO_LIMIT") {
    ++counts_["info refused"];
    return;
  }
  Expect(answer.status.ok() != differs, "a patch is of the revision that it expects");
  Expect(!differs || answer.revision == expected.revision, "a late patch is told the revision");
  ++counts_[differs ? "patch too late" : "patched"];
  if (differs) return;
  std::map<std::string, std::string> entries;
  for (const auto& label : expected.labels) entries[label.name] = label.value;
  for (const std::string& name : patch.remove) entries.erase(name);
  for (const auto& label : patch.set) entries[label.name] = label.value;
  std::vector<kantoku::inputs::Label> labels;
  labels.reserve(entries.size());
  for (const auto& [name, value] : entries) labels.push_back({name, value});
  const Labels after = *MakeInfo(std::move(labels));
  if (after == expected.labels) return;
  expected.labels = after;
  ++expected.revision;
  infos_[*task] = expected;
}

void EngineWalk::RecoverInfos() {
  infos_.clear();
  for (const auto& [key, spec] : records_.specs) {
    if (spec.spec.info != nullptr) infos_[spec.id] = *spec.spec.info;
    const auto patched = records_.infos.find(key);
    if (patched != records_.infos.end()) infos_[spec.id] = patched->second;
  }
}

void EngineWalk::CheckInfo(const TaskView& view) const {
  const auto known = infos_.find(view.id);
  Expect((view.info == nullptr) == (known == infos_.end()), "a task has the info that it got");
  Expect(view.info == nullptr || *view.info == known->second, "info is as it was patched last");
}

// Of tasks alone: what a task weighs is not shown.
void EngineWalk::CheckQuotas(const std::vector<TaskView>& living) const {
  for (const Quota& quota : options_.quotas) {
    const auto used = std::ranges::count_if(living, [&](const TaskView& view) {
      return view.name_space == quota.name_space && (quota.type.empty() || view.type == quota.type);
    });
    Expect(static_cast<uint64_t>(used) <= quota.max_tasks, "no quota is exceeded");
  }
}

void EngineWalk::CheckContexts(const std::vector<TaskView>& living) const {
  for (const char* const name : {"context-0", "context-1", "context-2"}) {
    std::set<TaskId> expected;
    for (const TaskView& view : living) {
      if (ContextOf(view) == name) expected.insert(view.id);
    }
    std::set<TaskId> listed;
    for (const std::string_view name_space : {"even", "odd"}) {
      for (const std::string owner : {"anna", "bert"}) {
        std::optional<TaskKey> from;
        do {
          const TaskFilter filter{
              .name_space = name_space,
              .viewer = platform::Viewer(platform::Onlooker(owner, {platform::kEveryNamespace})),
              .context = name};
          for (const TaskView& view : engine_->List(filter, 3, 5, from)) listed.insert(view.id);
        } while (from.has_value());
      }
    }
    Expect(listed == expected, "a context lists its tasks");
  }
}

}  // namespace kantoku::inputs::testing
