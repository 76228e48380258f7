#include <algorithm>

#include "services/inputs/engine/lane_directory.h"
#include "services/inputs/engine/verdicts.h"
#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

Labels LabelsOf(std::vector<Label> labels) {
  auto made = Labels::Make(std::move(labels));
  REQUIRE(made.ok());
  return *std::move(made);
}

Selector SelectorOf(const std::string& text) {
  auto selector = Selector::Parse(text);
  REQUIRE(selector.ok());
  return *std::move(selector);
}

std::shared_ptr<const Placement> On(const std::string& selector, Pins pins = {}) {
  Placement placement{.pins = std::move(pins)};
  if (!selector.empty()) placement.selector = SelectorOf(selector);
  return std::make_shared<const Placement>(std::move(placement));
}

TaskSpec Placed(const std::string& selector, Pins pins = {}, const std::string& type = "work") {
  TaskSpec spec = Spec(type);
  spec.placement = On(selector, std::move(pins));
  return spec;
}

// What a session of this name, app and owner has.
Labels Executor(const std::string& name, const std::string& app = "app",
                const std::string& owner = "anna", std::vector<Label> more = {}) {
  more.push_back({"executor", name});
  more.push_back({"app", app});
  more.push_back({"owner", owner});
  return LabelsOf(std::move(more));
}

SessionId HolderOf(const EngineWorld& world, const TaskId& task) {
  return world.View(task).session;
}

std::string WhyUnmatched(const EngineWorld& world, const TaskId& task) {
  return world.View(task).place->why_unmatched;
}

TEST_CASE("A task with a selector goes to an executor whose labels match, whoever came first") {
  const bool executors_first = GENERATE(true, false);
  EngineWorld world;
  const auto open = [&] {
    world.Open(1, 10, {}, {"work"}, LabelsOf({{"gpu", "false"}, {"mem_gib", "64"}}));
    world.Open(2, 10, {}, {"work"}, LabelsOf({{"gpu", "true"}, {"mem_gib", "16"}}));
  };
  if (executors_first) open();
  const TaskId picky = world.DoSpawn(Placed(R"(gpu == "true" && mem_gib >= 16)"));
  const TaskId large = world.DoSpawn(Placed("mem_gib > 16"));
  if (!executors_first) open();
  world.EndGroup();
  CHECK(HolderOf(world, picky) == SessionOf(2));
  CHECK(HolderOf(world, large) == SessionOf(1));
}

TEST_CASE("A task that is placed nowhere waits for PLACEMENT_UNMATCHED and says why") {
  EngineWorld world;
  const TaskId task = world.DoSpawn(Placed("mem_gib >= 16"));
  CHECK(world.View(task).cause == WaitCause::kNoImplementation);
  CHECK(WhyUnmatched(world, task).empty());
  world.Open(1, 10, {}, {"other"}, LabelsOf({{"mem_gib", "64"}}));
  CHECK(world.View(task).cause == WaitCause::kNoImplementation);
  world.Open(2, 10, {}, {"work"}, Executor("lab-2", "app", "anna", {{"mem_gib", "8"}}));
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(task).cause == WaitCause::kPlacementUnmatched);
  CHECK(WhyUnmatched(world, task) == R"(executor "lab-2": mem_gib is "8", wanted >= 16)");
  SECTION("one that fits and is full is another cause") {
    world.Open(3, 0, {}, {"work"}, LabelsOf({{"mem_gib", "64"}}));
    CHECK(world.View(task).cause == WaitCause::kNoCredit);
    CHECK(WhyUnmatched(world, task).empty());
  }
  SECTION("the words follow executors that come and go") {
    const ConnectionId third = world.Open(3, 10, {}, {"work"}, Executor("lab-3"));
    CHECK(WhyUnmatched(world, task) ==
          R"(none of 2 executors fits; the nearest, "lab-2": mem_gib is "8", wanted >= 16)");
    world.engine->CloseConnection(third, world.now, world.effects);
    CHECK(WhyUnmatched(world, task) == R"(executor "lab-2": mem_gib is "8", wanted >= 16)");
  }
}

TEST_CASE("Pins are exact, and all that are set must hold") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work"}, Executor("lab-1", "bench", "anna"));
  world.Open(2, 10, {}, {"work"}, Executor("lab-2", "bench", "bert"));
  world.Open(3, 10, {}, {"work"}, Executor("lab-3", "other", "bert"));
  const auto goes_to = [&](const Pins& pins) {
    const TaskId task = world.DoSpawn(Placed("", pins));
    return HolderOf(world, task);
  };
  CHECK(goes_to({.executor = "lab-2"}) == SessionOf(2));
  CHECK(goes_to({.app = "other"}) == SessionOf(3));
  CHECK(goes_to({.owner = "anna"}) == SessionOf(1));
  CHECK(goes_to({.app = "bench", .owner = "bert"}) == SessionOf(2));
  CHECK(goes_to({.executor = "lab-3", .app = "other", .owner = "bert"}) == SessionOf(3));
  CHECK(goes_to({.executor = "lab-3", .app = "bench"}).empty());
  CHECK(goes_to({.executor = "LAB-1"}).empty());
  CHECK(goes_to({.owner = "lab-1"}).empty());
}

TEST_CASE("A pin that nobody fits says which executor is missing") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work"}, Executor("lab-1", "bench", "anna"));
  const TaskId pinned = world.DoSpawn(Placed("", {.executor = "lab-2"}));
  CHECK(WhyUnmatched(world, pinned) == R"(no executor "lab-2" is connected)");
  world.Open(2, 10, {}, {"other"}, Executor("lab-2"));
  CHECK(WhyUnmatched(world, pinned) == R"(executor "lab-2" does not implement the type)");
  const TaskId owned = world.DoSpawn(Placed("has(gpu)", {.owner = "bert"}));
  CHECK(WhyUnmatched(world, owned) ==
        R"(executor "lab-1": owner is "anna", wanted == "bert"; gpu is absent, wanted any value)");
}

TEST_CASE("A session that returns with other labels gets what fits now, and keeps what it holds") {
  EngineWorld world;
  world.Open(1, 10, {}, {"work"}, LabelsOf({{"gpu", "true"}}));
  const TaskId held = world.DoSpawn(Placed("has(gpu)"));
  REQUIRE(HolderOf(world, held) == SessionOf(1));
  world.Open(1, 10, {{.task = held, .dispatch = 1}}, {"work"}, LabelsOf({{"cpu", "32"}}));
  CHECK(world.verdicts == std::vector{HeldVerdict::kKept});
  const TaskId later = world.DoSpawn(Placed("has(gpu)"));
  const TaskId other = world.DoSpawn(Placed("cpu >= 32"));
  CHECK(HolderOf(world, held) == SessionOf(1));
  CHECK(world.View(later).cause == WaitCause::kPlacementUnmatched);
  CHECK(HolderOf(world, other) == SessionOf(1));
  CHECK(*world.SessionViewOf(1)->labels.Find("cpu") == "32");
}

TEST_CASE("A placed task that comes back goes to one that fits again, also after a restart") {
  EngineWorld world;
  const TaskId task = world.DoSpawn(Placed("has(gpu)", {.owner = "anna"}));
  const bool restart = GENERATE(false, true);
  if (restart) world.Crash();
  world.Open(1, 10, {}, {"work"}, Executor("lab-1", "app", "bert", {{"gpu", "true"}}));
  world.Open(2, 10, {}, {"work"}, Executor("lab-2", "app", "anna", {{"gpu", "true"}}));
  world.EndGroup();
  REQUIRE(HolderOf(world, task) == SessionOf(2));
  world.Nack(task, 1, NackKind::kReturned);
  world.AnswerFence(task, 1);
  world.EndGroup();
  CHECK(HolderOf(world, task) == SessionOf(2));
  REQUIRE(world.View(task).place != nullptr);
  CHECK(world.View(task).place->placement.pins.owner == "anna");
  world.engine->Finished(task, 2, world.now, world.effects);
  world.EndGroup();
  CHECK(world.Ended(task)->place == nullptr);
}

TEST_CASE("Tasks that may run anywhere and placed ones share an executor's room by turns") {
  EngineWorld world;
  REQUIRE(world.Spawn(std::vector<TaskSpec>(500, Spec())).ok());
  const auto placed = world.Spawn({Placed("has(gpu)")});
  world.Open(1, 200, {}, {"work"}, LabelsOf({{"gpu", "true"}}));
  CHECK(world.EndGroup().dispatches.size() == 200);
  CHECK(HolderOf(world, placed->items[0].id) == SessionOf(1));
}

TEST_CASE("An executor that has room for one task at a time serves all its lanes in turns") {
  EngineWorld world;
  REQUIRE(world.Spawn(std::vector<TaskSpec>(50, Spec())).ok());
  const TaskId placed = world.Spawn({Placed("has(gpu)")})->items[0].id;
  const TaskId other = world.Spawn({Spec("other")})->items[0].id;
  world.Open(1, 1, {}, {"work", "other"}, LabelsOf({{"gpu", "true"}}));
  for (int turn = 0; turn < 3; ++turn) {
    REQUIRE(world.EndGroup().dispatches.size() == 1);
    const auto task = world.last.dispatches[0].task;
    world.engine->Finished(task, 1, world.now, world.effects);
  }
  CHECK_FALSE(world.engine->Find(placed).has_value());
  CHECK_FALSE(world.engine->Find(other).has_value());
}

TEST_CASE("A namespace has so many different selectors of living tasks, and no more") {
  EngineWorld world({.max_selectors = 2, .idle_names = 0});
  const TaskId first = world.DoSpawn(Placed("a >= 1"));
  REQUIRE(world.Spawn({Placed("a >= 1"), Placed("a >= 2"), Placed("a >= 2", {}, "other")}).ok());
  CHECK(Reason(world.Spawn({Placed("a >= 3")})) == "PLACEMENT_LIMIT");
  CHECK(world.Spawn({Placed("a >= 3")}).status().message() ==
        "specs.placement.selector: 2 selectors are in use in this namespace, 1 more exceed the "
        "limit of 2");
  SECTION("a batch counts each once, and is refused as a whole") {
    const size_t pending = world.engine->pending();
    CHECK(Reason(world.Spawn({Spec(), Placed("a >= 2"), Placed("a >= 3"), Placed("a >= 3")})) ==
          "PLACEMENT_LIMIT");
    CHECK(world.engine->pending() == pending);
  }
  SECTION("pins are no selectors, known ones and plain tasks go on") {
    CHECK(Reason(world.Spawn({Placed("", {.executor = "x"}), Placed("", {.executor = "y"})})) ==
          "OK");
    CHECK(Reason(world.Spawn({Placed("a >= 2", {.executor = "x"}), Spec()})) == "OK");
  }
  SECTION("the last task of a selector frees its place") {
    REQUIRE(world.Cancel(first).ok());
    CHECK(Reason(world.Spawn({Placed("a >= 3")})) == "PLACEMENT_LIMIT");
    std::optional<TaskKey> from;
    for (const TaskView& view : world.engine->List({"default", "", {}, As()}, 9, 99, from)) {
      (void)world.Cancel(view.id);
      world.AnswerFence(view.id, 0, TaskState::kCancelled);
    }
    world.EndGroup();
    CHECK(Reason(world.Spawn({Placed("a >= 3"), Placed("a >= 4")})) == "OK");
  }
  SECTION("another namespace has its own") {
    const std::vector<TaskSpec> specs = {Placed("a >= 3"), Placed("a >= 4")};
    CHECK(world.engine
              ->Spawn({.name_space = "lab", .owner = "local", .request = {7, 7}, .specs = specs},
                      world.now, world.effects)
              .ok());
  }
}

TEST_CASE("Each placement of a type counts against the bound of types") {
  EngineWorld world({.max_types = 3});
  REQUIRE(world.Spawn({Placed("", {.executor = "x"}), Placed("", {.executor = "y"}), Spec()}).ok());
  CHECK(Reason(world.Spawn({Placed("", {.executor = "z"})})) == "TYPE_LIMIT");
  CHECK(Reason(world.Spawn({Placed("", {.executor = "y"}), Spec()})) == "OK");
}

TEST_CASE("A selector is evaluated once for a label set, however many tasks and types there are") {
  Verdicts verdicts;
  const SelectorNumber selector = verdicts.Share(SelectorOf("gpu == 'true'"));
  const LabelSetNumber yes = verdicts.Share(LabelsOf({{"gpu", "true"}}));
  const LabelSetNumber no = verdicts.Share(LabelsOf({{"gpu", "false"}}));
  CHECK(verdicts.Share(LabelsOf({{"gpu", "true"}})) == yes);
  CHECK(verdicts.Share(SelectorOf("gpu==\"true\"")) == selector);
  for (int i = 0; i < 3; ++i) {
    CHECK(verdicts.Matches(selector, yes));
    CHECK_FALSE(verdicts.Matches(selector, no));
  }
  CHECK(verdicts.known() == 2);
  verdicts.DropLabels(yes);
  CHECK(verdicts.known() == 2);
  verdicts.DropLabels(yes);
  CHECK(verdicts.known() == 1);
  SECTION("a number that is used again knows nothing of what it named before") {
    CHECK(verdicts.Share(LabelsOf({{"gpu", "maybe"}})) == yes);
    CHECK_FALSE(verdicts.Matches(selector, yes));
    verdicts.DropSelector(selector);
    verdicts.DropSelector(selector);
    CHECK(verdicts.known() == 0);
    CHECK(verdicts.Share(SelectorOf("has(gpu)")) == selector);
    CHECK(verdicts.Matches(selector, yes));
  }
}

TEST_CASE("A pinned lane looks at the pinned executors alone, a session at the lanes it can fit") {
  LaneDirectory directory;
  const auto plain = directory.AddLane(0, "default", "work", nullptr);
  LaneDirectory::Type* const types[] = {plain.type};
  for (SessionNumber session = 1; session <= 100; ++session) {
    directory.AddSession(session, "default", types,
                         Executor("lab-" + std::to_string(session), "app", "anna",
                                  {{"even", session % 2 == 0 ? "yes" : "no"}}));
  }
  const auto pinned = directory.AddLane(1, "default", "work", On("", {.executor = "lab-7"}));
  const auto picky = directory.AddLane(2, "default", "work", On("even == 'yes'"));
  const auto both =
      directory.AddLane(3, "default", "work", On("even == 'yes'", {.executor = "lab-7"}));
  CHECK(directory.SessionsFor(plain).size() == 100);
  CHECK(directory.SessionsFor(pinned) == std::vector<SessionNumber>{7});
  CHECK(directory.SessionsFor(picky).size() == 50);
  CHECK(directory.SessionsFor(both).empty());
  CHECK(directory.LanesFor(7) == std::vector<LaneIndex>{0, 1});
  CHECK(directory.LanesFor(8) == std::vector<LaneIndex>{0, 2});
  CHECK(directory.Find("default", "work") == 0);
  CHECK(directory.Find("default", "work", *On("even=='yes'", {.executor = "lab-7"})) == 3);
  CHECK(directory.Find("default", "work", *On("even=='no'")) == kNoLane);
  CHECK(directory.Find("other", "work", *On("even=='yes'")) == kNoLane);
}

}  // namespace
}  // namespace kantoku::inputs::testing
