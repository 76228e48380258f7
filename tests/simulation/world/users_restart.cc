#include <algorithm>
#include <iterator>
#include <utility>

#include "services/platform/status.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/users.h"

// Dead tasks that users want to run again: these, or whatever matches, page by page.
namespace kantoku::simulation {

using inputs::RestartCommand;
using inputs::RestartPage;

namespace {

constexpr size_t kMostSearches = 4;

}  // namespace

void Users::Restart() {
  if (!searches_.empty() && scene_.random.Chance(70)) {
    return GoOn(searches_[scene_.random.Pick(searches_.size())]);
  }
  const ModelTask* dead = model_.AnyDead(scene_.random);
  for (int i = 0; i < 10 && dead != nullptr && scene_.random.Chance(80); ++i) {
    // Rather one that was not, or whose tree is asked for something just now.
    if (model_.RestartedAs(dead->id).empty() && !dead->root_at_end.empty()) break;
    dead = model_.AnyDead(scene_.random);
  }
  if (dead == nullptr) return;
  if (searches_.size() < kMostSearches && scene_.random.Chance(25)) return Search(*dead);
  RestartSome(*dead);
}

void Users::RestartSome(const ModelTask& dead) {
  RestartCommand command{.viewer = EyesOf(dead.owner), .tasks = {dead.id}};
  command.dry_run = scene_.random.Chance(15);
  for (const ModelTask* other : {model_.AnyDead(scene_.random), AnyTask()}) {
    const bool fits = other != nullptr && other->owner == dead.owner && other->id != dead.id;
    if (fits && scene_.random.Chance(30)) command.tasks.push_back(other->id);
  }
  scene_.coverage.Count(command.dry_run ? Deed::kRestartTried : Deed::kRestartAsked);
  server_.partition().RestartTasks(command, [this,
                                             command](const absl::StatusOr<RestartPage>& page) {
    if (!page.ok()) return;
    scene_.Expect(page->tasks.size() == command.tasks.size(), "a restart is answered task by task");
    OnPage(*page, command.dry_run);
  });
}

void Users::Search(const ModelTask& like) {
  auto search = std::make_shared<RestartSearch>();
  RestartCommand& command = search->command;
  command = {.name_space = like.name_space, .viewer = EyesOf(like.owner), .matching = true};
  if (scene_.random.Chance(50)) command.type = like.type;
  if (scene_.random.Chance(40)) command.states.push_back(*like.end);
  if (scene_.random.Chance(30)) command.root = like.root_at_end;
  command.limit = 1 + scene_.random.Pick(6);
  command.dry_run = scene_.random.Chance(30);
  for (const ModelTask* dead : model_.Dead()) {
    if (Matches(command, *dead)) search->missing.insert(dead->id);
  }
  searches_.push_back(search);
  GoOn(search);
}

bool Users::Matches(const RestartCommand& command, const ModelTask& dead) {
  return dead.name_space == command.name_space &&
         command.viewer.Sees(dead.name_space, dead.owner) &&
         (command.type.empty() || dead.type == command.type) &&
         (command.states.empty() || command.states.front() == dead.end) &&
         (command.root.empty() || command.root == dead.root_at_end);
}

// The same page again, where an answer was lost.
void Users::GoOn(const std::shared_ptr<RestartSearch>& search) {
  if (std::exchange(search->asked, true)) return;
  scene_.coverage.Count(Deed::kRestartSearched);
  server_.partition().RestartTasks(
      search->command, [this, search](const absl::StatusOr<RestartPage>& page) {
        search->asked = false;
        if (!page.ok()) return;
        for (const auto& each : page->tasks) {
          const ModelTask* const dead = model_.Find(each.dead);
          scene_.Expect(dead == nullptr || Matches(search->command, *dead),
                        "only what matches is restarted");
          search->missing.erase(each.dead);
        }
        OnPage(*page, search->command.dry_run);
        search->command.page_token = page->next;
        if (!page->next.empty()) return;
        std::erase(searches_, search);
        scene_.Expect(std::ranges::none_of(
                          search->missing,
                          [this](const TaskId& dead) { return model_.Find(dead) != nullptr; }),
                      "whatever matches is restarted");
      });
}

void Users::OnPage(const RestartPage& page, bool dry_run) {
  if (std::ranges::any_of(page.tasks, &RestartPage::Restarted::created)) scene_.CountStep();
  for (const auto& each : page.tasks) OnRestarted(each, dry_run);
}

void Users::OnRestarted(const RestartPage::Restarted& restarted, bool dry_run) {
  const ModelTask* const dead = model_.Find(restarted.dead);
  if (!restarted.successor.ok()) {
    const std::string reason = platform::ReasonOf(restarted.successor.status());
    if (reason == inputs::SpawnOutcome::kTreeStopping) scene_.coverage.Count(Deed::kRestartRefused);
    scene_.Expect(dead == nullptr || !absl::IsNotFound(restarted.successor.status()),
                  "no dead task is lost");
    scene_.Expect(reason != "DAMAGED_RECORD", "what a dead task is to run stays on record");
    scene_.Expect(
        reason != "TASK_SUCCEEDED" || dead == nullptr || dead->outputs_end == TaskState::kSucceeded,
        "only success is not restarted");
    return;
  }
  const TaskId& again = *restarted.successor;
  scene_.Expect(dry_run ? !restarted.created : !again.empty(), "a dry run restarts nothing");
  if (again.empty()) return;
  scene_.coverage.Count(restarted.created ? Deed::kRestarted : Deed::kRestartedBefore);
  scene_.Expect(!restarted.created || model_.Find(again) != nullptr,
                "a restart is answered when it is durable");
  scene_.Expect(dead == nullptr || model_.RestartedAs(restarted.dead) == again,
                "who restarts a task again gets the same one");
}

}  // namespace kantoku::simulation
