#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/users.h"

// Info of tasks, as they are spawned and as users change it.
namespace kantoku::simulation {

using inputs::InfoAnswer;
using inputs::InfoPatch;

namespace {

// What labels come to; removes first.
LabelMap Patched(LabelMap labels, const InfoPatch& patch) {
  for (const std::string& name : patch.remove) labels.erase(name);
  for (const inputs::Label& label : patch.set) labels[label.name] = label.value;
  return labels;
}

}  // namespace

void Users::Describe(task::v1::TaskSpec& spec) {
  if (scene_.random.Chance(50)) {
    spec.set_context_id(absl::StrCat("context ", scene_.random.Pick(3)));
  }
  if (scene_.random.Chance(30)) return;
  (*spec.mutable_info())["a"] = absl::StrCat(scene_.random.Pick(3));
  if (scene_.random.Chance(50)) (*spec.mutable_info())["b"] = "x";
}

void Users::PatchInfo() {
  const ModelTask* const task = AnyTask();
  if (task == nullptr) return;
  InfoPatch patch{.task = task->id};
  if (scene_.random.Chance(70)) patch.set.push_back({"a", absl::StrCat(scene_.random.Pick(3))});
  if (scene_.random.Chance(20)) patch.set.push_back({"c", absl::StrCat(scene_.random.Pick(9))});
  if (scene_.random.Chance(30)) patch.remove.emplace_back(scene_.random.Chance(50) ? "b" : "c");
  if (scene_.random.Chance(60)) patch.expected = task->labels.size() - 1;
  if (scene_.random.Chance(20)) patch.expected = scene_.random.Pick(4);
  scene_.coverage.Count(Deed::kPatch);
  server_.partition().PatchInfo(
      {.patches = {patch}, .viewer = EyesOf(task->owner)},
      [this, patch](const absl::StatusOr<std::vector<InfoAnswer>>& answers) {
        if (answers.ok()) OnPatched(patch, answers->front());
      });
}

void Users::OnPatched(const InfoPatch& patch, const InfoAnswer& answer) {
  const ModelTask* const task = model_.Find(patch.task);
  const bool too_late = platform::ReasonOf(answer.status) == "REVISION_DIFFERS";
  if (too_late) scene_.coverage.Count(Deed::kPatchTooLate);
  scene_.Expect(!too_late || (patch.expected.has_value() && answer.revision != *patch.expected),
                "who patches too late is told the revision");
  if (task == nullptr || (!answer.status.ok() && !too_late)) return;
  scene_.Expect(answer.revision < task->labels.size(), "a patch is answered when it is durable");
  if (scene_.verdict.broken() || too_late) return;
  const LabelMap& after = task->labels[answer.revision];
  scene_.Expect(Patched(after, patch) == after, "a patch does what it says");
  if (!patch.expected.has_value()) return;
  const uint64_t before = *patch.expected;
  scene_.Expect(answer.revision == before || answer.revision == before + 1,
                "a patch is of the revision that it expects");
  scene_.Expect(before < task->labels.size() && Patched(task->labels[before], patch) == after,
                "a patch changes nothing else");
}

}  // namespace kantoku::simulation
