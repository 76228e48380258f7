#include <array>
#include <string>
#include <utility>

#include "tests/simulation/inputs/engine_walk.h"

// Labels of executors and placements of tasks, with a model of its own of what fits where.
namespace kantoku::inputs::testing {
namespace {

using LabelMap = std::map<std::string, std::string>;

struct Condition {
  const char* selector;
  bool (*holds)(const LabelMap& labels);
};

int SizeOf(const LabelMap& labels) {
  const auto size = labels.find("size");
  return size == labels.end() ? -1 : std::stoi(size->second);
}

constexpr std::array<Condition, 6> kConditions = {{
    {"zone == 'a'",
     [](const LabelMap& labels) { return labels.contains("zone") && labels.at("zone") == "a"; }},
    {"zone != 'a'",
     [](const LabelMap& labels) { return !labels.contains("zone") || labels.at("zone") != "a"; }},
    {"size >= 2", [](const LabelMap& labels) { return SizeOf(labels) >= 2; }},
    {"has(zone) && size < 3",
     [](const LabelMap& labels) {
       return labels.contains("zone") && SizeOf(labels) >= 0 && SizeOf(labels) < 3;
     }},
    {"!has(zone) || owner == 'subject-1'",
     [](const LabelMap& labels) {
       return !labels.contains("zone") || labels.at("owner") == "subject-1";
     }},
    {"version in ('1', '2')",
     [](const LabelMap& labels) {
       return labels.contains("version") &&
              (labels.at("version") == "1" || labels.at("version") == "2");
     }},
}};

bool Holds(const Selector& selector, const LabelMap& labels) {
  for (const Condition& condition : kConditions) {
    if (*Selector::Parse(condition.selector) == selector) return condition.holds(labels);
  }
  return false;
}

}  // namespace

void EngineWalk::Place(TaskSpec& spec) {
  if (Chance(60)) return;
  Placement placement;
  if (Chance(70))
    placement.selector = *Selector::Parse(kConditions[Pick(kConditions.size())].selector);
  if (Chance(20)) placement.pins.executor = "walker-" + std::to_string(Pick(executors_.size()));
  if (Chance(20)) placement.pins.owner = "subject-" + std::to_string(Pick(executors_.size()));
  if (Chance(10)) placement.pins.app = Chance(80) ? "app" : "another app";
  if (!placement.empty()) spec.placement = std::make_shared<const Placement>(std::move(placement));
}

Labels EngineWalk::Label(Executor& executor) {
  executor.labels = {{"executor", executor.name},
                     {"app", executor.caller.client_id},
                     {"owner", executor.caller.subject}};
  if (Chance(70)) executor.labels["zone"] = Chance(50) ? "a" : "b";
  if (Chance(70)) executor.labels["size"] = std::to_string(Pick(4));
  if (Chance(70)) executor.labels["version"] = std::to_string(Pick(4));
  std::vector<kantoku::inputs::Label> labels;
  for (const auto& [name, value] : executor.labels) labels.push_back({name, value});
  return *Labels::Make(std::move(labels));
}

bool EngineWalk::Fits(const Executor& executor, const std::string& type,
                      const Placement* placement) const {
  const auto route = routes_.find(std::pair(executor.name_space, type));
  if (route != routes_.end() && !Holds(route->second, executor.labels)) return false;
  if (placement == nullptr) return true;
  const auto has = [&](const char* label, const std::string& pin) {
    return pin.empty() || executor.labels.at(label) == pin;
  };
  return has("executor", placement->pins.executor) && has("app", placement->pins.app) &&
         has("owner", placement->pins.owner) &&
         (!placement->selector.has_value() || Holds(*placement->selector, executor.labels));
}

void EngineWalk::ChangeRoute() {
  const std::pair<std::string, std::string> key(Chance(50) ? "even" : "odd", TypeOf(Pick(kTypes)));
  std::optional<Selector> selector;
  if (Chance(50)) selector = *Selector::Parse(kConditions[Pick(kConditions.size())].selector);
  const bool known = routes_.contains(key);
  const auto status = engine_->SetRoute(key.first, key.second, selector, now_, open_.effects);
  Expect(status.ok() == (selector.has_value() || known),
         "a route that is not there is not removed");
  if (!status.ok()) return;
  ++counts_["route"];
  routes_.erase(key);
  if (selector.has_value()) routes_.insert_or_assign(key, *selector);
}

void EngineWalk::AskToLeave(Executor& executor) {
  constexpr std::array kVerbs = {ExecutorVerb::kDrain, ExecutorVerb::kBounce, ExecutorVerb::kKick};
  const auto status = engine_->ControlExecutor(
      executor.name_space, platform::Viewer(platform::Administrator("admin", "app")),
      executor.session, kVerbs[Pick(kVerbs.size())], absl::Seconds(1), open_.effects);
  Expect(status.ok() == (executor.connection != 0), "who is connected can be asked to leave");
  if (!status.ok()) return;
  ++counts_["asked to leave"];
  executor.leaving = true;
}

void EngineWalk::CheckPlaced(const DispatchMessage& message, const Executor& executor) {
  const auto placement = placements_.find(message.task);
  if (placement == placements_.end()) return;
  ++counts_["placed"];
  Expect(executor.types.contains(std::string(message.type)), "executors get their types");
  Expect(Fits(executor, std::string(message.type), placement->second.get()),
         "a task is dispatched where it fits");
}

void EngineWalk::CheckCause(const TaskView& view) {
  if (view.state != TaskState::kReady || view.cause == WaitCause::kFence) return;
  WaitCause expected = WaitCause::kNoImplementation;
  for (const Executor& executor : executors_) {
    if (executor.connection == 0 || executor.name_space != view.name_space) continue;
    if (!executor.types.contains(view.type)) continue;
    if (Fits(executor, view.type, view.place == nullptr ? nullptr : &view.place->placement)) {
      expected = WaitCause::kNoCredit;
      break;
    }
    expected = WaitCause::kPlacementUnmatched;
  }
  if (IsPaused(view.name_space, view.type)) {
    Expect(view.cause == WaitCause::kPaused && !view.detail.empty(), "a pause comes first");
    ++counts_["paused with its type"];
    return;
  }
  if (expected == WaitCause::kNoCredit) return CheckKeyCause(view);
  Expect(view.cause == expected, "a task waits for the cause that holds");
  if (expected != WaitCause::kPlacementUnmatched) return;
  ++counts_["fits nobody"];
  Expect(!view.place->why_unmatched.empty(), "what fits nobody says why");
}

void EngineWalk::CancelWhatFitsNobody() {
  for (const std::string_view name_space : {"even", "odd"}) {
    for (const std::string_view owner : {"anna", "bert"}) {
      std::optional<TaskKey> from;
      for (const auto& view : engine_->List({name_space,
                                             "",
                                             {TaskState::kReady},
                                             platform::Viewer(platform::Onlooker(
                                                 std::string(owner), {platform::kEveryNamespace}))},
                                            1'000, 1'000, from)) {
        if (view.cause != WaitCause::kPlacementUnmatched) continue;
        (void)engine_->Control({.task = view.id}, now_, open_.effects);
      }
    }
  }
}

}  // namespace kantoku::inputs::testing
