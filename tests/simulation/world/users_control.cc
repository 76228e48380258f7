#include <array>
#include <iterator>
#include <utility>

#include "tests/simulation/world/names.h"
#include "tests/simulation/world/places.h"
#include "tests/simulation/world/users.h"

// What users ask of tasks and of trees, and that they are answered when it is durable.
namespace kantoku::simulation {

using inputs::ControlCommand;
using inputs::ControlVerb;
using States = std::vector<absl::StatusOr<TaskState>>;

const ModelTask* Users::AnyTask() {
  if (model_.recent().empty()) return nullptr;
  const uint64_t kind = scene_.random.Pick(100);
  if (kind < 30) return model_.AnyLiving(scene_.random);
  if (kind < 60) return model_.AnyHeld(scene_.random);
  return model_.Find(model_.recent()[scene_.random.Pick(model_.recent().size())]);
}

void Users::FillKin(const std::string& name_space, const std::string& owner,
                    task::v1::TaskSpec& spec) {
  // Who belongs to others is refused, and told so; large trees grow.
  const ModelTask* parent = AnyTask();
  const auto fits = [&](const ModelTask& task) {
    return task.name_space == name_space && task.owner == owner && !task.end.has_value();
  };
  for (int i = 0; i < 15; ++i) {
    const ModelTask* const other = model_.AnyLiving(scene_.random);
    if (other == nullptr || !fits(*other)) continue;
    parent = other;
    if (!parent->root.empty()) break;
  }
  if (parent == nullptr) return;
  const auto set = [](const TaskId& id, std::string& bytes) {
    bytes.assign(id.bytes().data(), id.bytes().size());
  };
  set(parent->id, *spec.mutable_parent_id());
  if (scene_.random.Chance(60)) set(Model::TreeOf(*parent), *spec.mutable_root_id());
}

ControlCommand Users::AnyControl() {
  constexpr std::array kVerbs = {
      ControlVerb::kCancel, ControlVerb::kCancel, ControlVerb::kInterrupt, ControlVerb::kPause,
      ControlVerb::kPause,  ControlVerb::kResume, ControlVerb::kStep};
  ControlCommand command{.task = {}, .verb = kVerbs[scene_.random.Pick(kVerbs.size())]};
  if (scene_.random.Chance(50)) command.escalation = scene_.random.UpTo(kLongestEscalation);
  return command;
}

void Users::Control() {
  ControlCommand command = AnyControl();
  if (scene_.random.Chance(50)) {  // Who pauses something mostly wants it back.
    const bool tree = scene_.random.Chance(20);
    const std::vector<TaskId> paused = tree ? model_.PausedTrees() : model_.PausedTasks();
    if (!paused.empty()) {
      command.verb = scene_.random.Chance(70) ? ControlVerb::kResume : ControlVerb::kStep;
      const ModelTask* const task = model_.Find(paused[scene_.random.Pick(paused.size())]);
      if (task != nullptr) return tree ? ControlTree(*task, command) : ControlTask(*task, command);
    }
  }
  const bool tree = scene_.random.Chance(25);
  const ModelTask* task = AnyTask();
  for (int i = 0; i < 5 && tree && task != nullptr && task->root.empty(); ++i) task = AnyTask();
  if (task == nullptr) return;
  return tree ? ControlTree(*task, command) : ControlTask(*task, command);
}

void Users::ControlTask(const ModelTask& task, const ControlCommand& command) {
  constexpr std::array kCommands = {Command::kCancel, Command::kInterrupt, Command::kPause,
                                    Command::kResume, Command::kStep};
  const TaskId id = task.id;
  const Command said = kCommands[static_cast<size_t>(command.verb) - 1];
  witness_.Around({{.command = said, .task = id, .session = {}}}, [&] {
    server_.partition().Control(
        {.tasks = {id}, .what = command, .viewer = EyesOf(task.owner)},
        [this, id, verb = command.verb](const absl::StatusOr<States>& states) {
          if (!states.ok() || !states->front().ok() || !inputs::Stops(verb)) return;
          const ModelTask* const stopped = model_.Find(id);
          scene_.Expect(stopped == nullptr || stopped->end.has_value() ||
                            stopped->cancel_requested || stopped->intended_end.has_value(),
                        "a cancel is answered when it is durable");
        });
  });
}

void Users::ControlTree(const ModelTask& member, ControlCommand command) {
  constexpr std::array kDeeds = {Deed::kTreeCancel, Deed::kTreeInterrupt, Deed::kTreePause,
                                 Deed::kTreeResume, Deed::kTreeStep};
  scene_.coverage.Count(kDeeds[static_cast<size_t>(command.verb) - 1]);
  command.tree = true;
  const TaskId root = Model::TreeOf(member);
  server_.partition().Control(
      {.tasks = {root}, .what = command, .viewer = EyesOf(member.owner)},
      [this, root, verb = command.verb](const absl::StatusOr<States>& states) {
        if (!states.ok() || !states->front().ok() || !inputs::Stops(verb)) return;
        scene_.Expect(model_.IsStopping(root) || !model_.Lives(root),
                      "that a tree is to stop is answered when it is durable");
      });
}

void Users::Pause() {
  const std::set<Model::LaneName>& lanes = model_.paused_lanes();
  if (!lanes.empty() && scene_.random.Chance(80)) {
    return SetPause(*std::next(lanes.begin(), scene_.random.Pick(lanes.size())), false);
  }
  const std::string_view type =
      scene_.random.Chance(70) ? kTypes[scene_.random.Pick(kTypes.size())] : "";
  SetPause({std::string(kNamespaces[scene_.random.Pick(kNamespaces.size())]), std::string(type)},
           scene_.random.Chance(90));
}

void Users::SetPause(const Model::LaneName& lane, bool paused) {
  scene_.coverage.Count(paused ? Deed::kTypePaused : Deed::kTypeResumed);
  const uint64_t call = ++pause_calls_[lane];
  server_.partition().SetPause(
      {.name_space = lane.first, .type = lane.second, .paused = paused, .reason = "lunch"},
      [this, lane, paused, call](const auto& answer) {
        if (!answer.ok() || pause_calls_[lane] != call) return;
        scene_.Expect(model_.paused_lanes().contains(lane) == paused,
                      "a pause of a type is answered when it is durable");
      });
}

void Users::Route() {
  const auto& routes = model_.routes();
  if (!routes.empty() && scene_.random.Chance(60)) {
    const auto route =
        std::next(routes.begin(), static_cast<std::ptrdiff_t>(scene_.random.Pick(routes.size())));
    return SetRoute(route->first, std::nullopt);
  }
  SetRoute({std::string(kNamespaces[scene_.random.Pick(kNamespaces.size())]),
            std::string(kTypes[scene_.random.Pick(kTypes.size())])},
           scene_.random.Pick(kRoutes.size()));
}

void Users::SetRoute(const Model::LaneName& lane, std::optional<size_t> route) {
  scene_.coverage.Count(route.has_value() ? Deed::kRouteSet : Deed::kRouteRemoved);
  const uint64_t call = ++route_calls_[lane];
  std::optional<inputs::Selector> selector;
  if (route.has_value()) selector = *inputs::Selector::Parse(kRoutes[*route].selector);
  server_.partition().SetRoute(
      {.name_space = lane.first, .type = lane.second, .selector = selector},
      [this, lane, route, call](const auto& answer) {
        if (!answer.ok() || route_calls_[lane] != call) return;
        const auto set = model_.routes().find(lane);
        scene_.Expect(set == model_.routes().end() ? !route.has_value() : set->second == route,
                      "a route is answered when it is durable");
      });
}

void Users::Block(const platform::Caller& caller) {
  const auto& blocks = model_.blocks().all();
  if (!blocks.empty() && scene_.random.Chance(70)) {
    const auto block =
        std::next(blocks.begin(), static_cast<std::ptrdiff_t>(scene_.random.Pick(blocks.size())));
    return SetBlock(block->first, false);
  }
  SetBlock({caller.subject, "", ""}, true);
}

void Users::SetBlock(const platform::BlockNames& names, bool blocked) {
  scene_.coverage.Count(blocked ? Deed::kBlocked : Deed::kUnblocked);
  const uint64_t call = ++block_calls_[names.user];
  inputs::BlocksCommand command{.by = {"root", "console"}};
  if (blocked) {
    command.set.push_back({absl::OkStatus(), {.names = names}});
  } else {
    command.lift.push_back({absl::OkStatus(), names});
  }
  server_.partition().SetBlocks(std::move(command), [this, names, blocked,
                                                     call](const auto& answer) {
    if (!answer.ok() || block_calls_[names.user] != call) return;
    scene_.Expect(model_.blocks().Has(names) == blocked, "a block is answered when it is durable");
  });
}

void Users::ResumeAll() {
  const auto blocks = model_.blocks().all();  // Which change meanwhile.
  for (const auto& [names, block] : blocks) SetBlock(names, false);
  for (const auto& [lane, route] : model_.routes()) SetRoute(lane, std::nullopt);
  for (const Model::LaneName& lane : model_.paused_lanes()) SetPause(lane, false);
  const ControlCommand resume{.task = {}, .verb = ControlVerb::kResume};
  for (const TaskId& id : model_.PausedTrees()) ControlTree(*model_.Find(id), resume);
  for (const TaskId& id : model_.PausedTasks()) {
    if (const ModelTask* const task = model_.Find(id)) ControlTask(*task, resume);
  }
}

}  // namespace kantoku::simulation
