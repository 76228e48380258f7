#include "tests/unit/inputs/engine/engine_world.h"

// Routes, and executors that are asked to leave.
namespace kantoku::inputs::testing {
namespace {

Labels Version(const std::string& version) { return *Labels::Make({{"version", version}}); }

TaskSpec Placed(const std::string& selector) {
  TaskSpec spec = Spec();
  spec.placement = std::make_shared<const Placement>(
      Placement{.selector = *Selector::Parse(selector), .pins = {}});
  return spec;
}

std::string SetRoute(EngineWorld& world, const std::string& selector,
                     const std::string& type = "work") {
  std::optional<Selector> route;
  if (!selector.empty()) route = *Selector::Parse(selector);
  return Reason(world.engine->SetRoute("default", type, route, world.now, world.effects));
}

TEST_CASE("Tasks of a type with a route go only to executors that match it, placed or not") {
  EngineWorld world;
  const bool route_first = GENERATE(true, false);
  if (route_first) REQUIRE(SetRoute(world, "version == '2'") == "OK");
  world.Open(1, 10, {}, {"work", "other"}, Version("1"));
  if (!route_first) REQUIRE(SetRoute(world, "version == '2'") == "OK");
  const TaskId plain = world.DoSpawn();
  const TaskId placed = world.DoSpawn(Placed("version < 3"));
  const TaskId other = world.DoSpawn(Spec("other"));
  CHECK(world.View(other).session == SessionOf(1));
  for (const TaskId& task : {plain, placed}) {
    CHECK(world.View(task).cause == WaitCause::kPlacementUnmatched);
    CHECK(world.View(task).place->why_unmatched ==
          R"(executor "": by the type's route version is "1", wanted == "2")");
  }
  CHECK(world.View(plain).place->placement.empty());
  world.Open(2, 10, {}, {"work"}, Version("2"));
  world.EndGroup();
  CHECK(world.View(plain).session == SessionOf(2));
  CHECK(world.View(placed).session == SessionOf(2));
}

TEST_CASE("A route takes effect at once for what waits, and for the seats that were taken") {
  EngineWorld world;
  world.Open(1, 1, {}, {"work"}, Version("1"));
  world.Open(2, 1, {}, {"work"}, Version("2"));
  REQUIRE(SetRoute(world, "version == '2'") == "OK");
  REQUIRE(world.Spawn({Spec(), Spec(), Placed("has(version)")}).ok());
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK(world.SessionViewOf(2)->held == 1);
  SECTION("another route sends what waits elsewhere") {
    REQUIRE(SetRoute(world, "version == '1'") == "OK");
    REQUIRE(world.EndGroup().dispatches.size() == 1);
    CHECK(world.SessionViewOf(1)->held == 1);
    CHECK(world.SessionViewOf(2)->held == 1);  // What it holds it keeps.
  }
  SECTION("without a route everybody gets tasks again") {
    REQUIRE(SetRoute(world, "") == "OK");
    CHECK(world.EndGroup().dispatches.size() == 1);
    CHECK(world.SessionViewOf(1)->held == 1);
  }
}

TEST_CASE("Routes are recorded, recovered, listed by type, and counted") {
  EngineWorld world({.max_routes = 2});
  REQUIRE(SetRoute(world, "version == '2'") == "OK");
  REQUIRE(SetRoute(world, "has(gpu)", "blur") == "OK");
  CHECK(SetRoute(world, "has(gpu)", "third") == "ROUTE_LIMIT");
  CHECK(SetRoute(world, "version == '3'") == "OK");
  CHECK(SetRoute(world, "", "third") == "NO_SUCH_ROUTE");
  world.EndGroup();
  CHECK(world.records.routes.size() == 2);
  world.Crash();
  const auto routes = world.engine->Routes("default");
  REQUIRE(routes.size() == 2);
  CHECK(routes[0].type == "blur");
  CHECK(routes[1].selector->canonical() == R"(version == "3")");
  CHECK(world.engine->Routes("lab").empty());
  world.Open(1, 1, {}, {"work"}, Version("2"));
  const TaskId task = world.DoSpawn();
  CHECK(world.View(task).cause == WaitCause::kPlacementUnmatched);
  REQUIRE(SetRoute(world, "") == "OK");
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK(world.records.routes.size() == 1);
  CHECK(SetRoute(world, "has(cpu)", "fourth") == "OK");
  world.EndGroup();
  CHECK(world.records.routes.size() == 2);
}

TEST_CASE(
    "An executor that is asked to leave is told, and gets nothing new until it connects again") {
  const ExecutorVerb verb =
      GENERATE(ExecutorVerb::kDrain, ExecutorVerb::kBounce, ExecutorVerb::kKick);
  EngineWorld world;
  const TaskId held = world.DoRun();
  const auto ask = [&](const std::string& name_space, uint8_t session,
                       const std::string& who = "local") {
    const platform::Viewer viewer(platform::Onlooker(who, {platform::kEveryNamespace}));
    return Reason(world.engine->ControlExecutor(name_space, viewer, SessionOf(session), verb,
                                                absl::Seconds(3), world.effects));
  };
  CHECK(ask("default", 1, "stranger") == "NOT_YOUR_EXECUTOR");
  CHECK(ask("default", 1) == "OK");
  CHECK(ask("default", 9) == "NO_SUCH_SESSION");
  CHECK(ask("lab", 1) == "NO_SUCH_SESSION");
  REQUIRE(world.Spawn({Spec()}).ok());
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.executor_controls.size() == 1);
  CHECK(effects.executor_controls[0].connection == world.connection);
  CHECK(effects.executor_controls[0].verb == verb);
  CHECK(effects.executor_controls[0].delay == absl::Seconds(3));
  CHECK(effects.dispatches.empty());
  CHECK(world.SessionViewOf(1)->leaving);
  world.engine->SetCredit(world.connection, 100);
  world.engine->SetPaused(world.connection, false);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.StateOf(held) == TaskState::kRunning);

  world.engine->CloseConnection(world.connection, world.now, world.effects);
  CHECK(ask("default", 1) == "NOT_CONNECTED");
  world.Open(1, 10, {{.task = held, .dispatch = 1, .started = true}});
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK_FALSE(world.SessionViewOf(1)->leaving);
}

}  // namespace
}  // namespace kantoku::inputs::testing
