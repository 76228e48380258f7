#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Seconds;
using platform::Block;
using platform::BlockNames;

// Opens a session of somebody, under the world's next connection.
absl::Status OpenAs(EngineWorld& world, uint8_t session, const Caller& caller,
                    std::string_view name, absl::Time token_issued = absl::InfinitePast()) {
  const std::vector<std::string> types = {"work"};
  return world.engine
      ->OpenSession({.session = SessionOf(session),
                     .caller = caller,
                     .name_space = "default",
                     .name = name,
                     .types = types,
                     .max_held = 1,
                     .connection = ++world.connection,
                     .token_issued = token_issued},
                    world.now, world.effects)
      .status();
}

absl::Status Set(EngineWorld& world, const Block& block) {
  return world.engine->SetBlock(block, world.now, world.effects);
}

TEST_CASE("What somebody holds who is blocked is fenced in the same group and goes on elsewhere") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(Set(world, {.names = {"local", "", ""}, .reason = "lost laptop"}).ok());
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.closes.size() == 1);
  CHECK(effects.closes[0].connection == world.connection);
  CHECK(Reason(effects.closes[0].why) == "BLOCKED");
  CHECK(effects.closes[0].why.message() == "the user is blocked: lost laptop");
  REQUIRE(effects.fences.size() == 1);
  CHECK(effects.fences[0].task == task);
  CHECK(effects.fences[0].dispatch == 1);
  CHECK_FALSE(world.SessionViewOf(1).has_value());
  REQUIRE(OpenAs(world, 2, {"other", "other"}, "rig").ok());
  world.Redeliver(task, 1);
  CHECK(world.View(task).dispatch == 2);
  CHECK(world.View(task).failed_attempts == 0);  // The task is not to blame.
}

TEST_CASE("A task of effect ONCE that somebody has begun who is blocked is not begun again") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.effect = Effect::kOnce;
  const TaskId task = world.DoRun(spec);
  REQUIRE(Set(world, {.names = {"local", "", ""}}).ok());
  const Effects& effects = world.EndGroup();
  REQUIRE(effects.fences.size() == 1);
  CHECK(effects.fences[0].task == task);
  REQUIRE(effects.fences[0].settlement.has_value());
  CHECK(effects.fences[0].settlement->failure.reason == "UNKNOWN_OUTCOME");
}

TEST_CASE("Who is blocked opens no session until that is lifted") {
  EngineWorld world;
  REQUIRE(Set(world, {.names = {"ada", "", ""}}).ok());
  CHECK(Reason(OpenAs(world, 1, {"ada", "notebook"}, "rig")) == "BLOCKED");
  CHECK(OpenAs(world, 2, {"bob", "notebook"}, "rig").ok());
  REQUIRE(world.engine->LiftBlock({"ada", "", ""}, world.effects).ok());
  CHECK(OpenAs(world, 1, {"ada", "notebook"}, "rig").ok());
}

TEST_CASE("A block of a user, an app and an executor is for whom all of it matches") {
  EngineWorld world;
  REQUIRE(Set(world, {.names = {"ada", "notebook", "rig"}}).ok());
  CHECK(OpenAs(world, 1, {"ada", "notebook"}, "other").ok());
  CHECK(OpenAs(world, 2, {"ada", "cluster"}, "rig").ok());
  CHECK(OpenAs(world, 3, {"bob", "notebook"}, "rig").ok());
  CHECK(Reason(OpenAs(world, 4, {"ada", "notebook"}, "rig")) == "BLOCKED");
  REQUIRE(Set(world, {.names = {"", "", "other"}}).ok());
  CHECK_FALSE(world.SessionViewOf(1).has_value());
  CHECK(world.SessionViewOf(2).has_value());
  CHECK(Reason(OpenAs(world, 5, {"eve", "x"}, "other")) == "BLOCKED");
}

TEST_CASE("A block of old tokens lets in who has a new one, and ends the sessions of the old") {
  EngineWorld world;
  const absl::Time then = world.now.wall;
  REQUIRE(OpenAs(world, 1, {"ada", "notebook"}, "rig", then).ok());
  REQUIRE(OpenAs(world, 2, {"ada", "notebook"}, "rig", then + Seconds(2)).ok());
  REQUIRE(Set(world, {.names = {"ada", "", ""}, .tokens_until = then + Seconds(1)}).ok());
  CHECK_FALSE(world.SessionViewOf(1).has_value());
  CHECK(world.SessionViewOf(2).has_value());
  CHECK(Reason(OpenAs(world, 3, {"ada", "notebook"}, "rig", then + Seconds(1))) == "TOKEN_BLOCKED");
  CHECK(OpenAs(world, 3, {"ada", "notebook"}, "rig", then + Seconds(2)).ok());
}

TEST_CASE("Blocks outlive a crash, and so do the fences of what they took back") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(Set(world, {.names = {"local", "", ""}, .set_by = "root"}).ok());
  world.EndGroup();
  world.Crash();
  CHECK(world.EndGroup().fences.size() == 1);
  CHECK(world.engine->blocks().all().begin()->second.set_by == "root");
  CHECK(Reason(OpenAs(world, 1, {"local", "local"}, "executor")) == "BLOCKED");
  REQUIRE(world.engine->LiftBlock({"local", "", ""}, world.effects).ok());
  world.EndGroup();
  world.Crash();
  world.Open(1, 1);
  world.Redeliver(task, 1);
  CHECK(world.View(task).dispatch == 2);
}

TEST_CASE("A session within its grace ends, too, when its user is blocked") {
  EngineWorld world;
  world.DoRun();
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  world.EndGroup();
  REQUIRE(Set(world, {.names = {"local", "", ""}}).ok());
  const Effects& effects = world.EndGroup();
  CHECK(effects.closes.empty());
  CHECK(effects.fences.size() == 1);
}

TEST_CASE("Who was refused on a connection holds nothing any more, but may come again") {
  EngineWorld world;
  world.DoRun();
  world.engine->RefuseConnection(world.connection, absl::UnauthenticatedError("revoked"), world.now,
                                 world.effects);
  CHECK(world.EndGroup().fences.size() == 1);
  CHECK_FALSE(world.SessionViewOf(1).has_value());
  world.Open(1, 1);
}

TEST_CASE(
    "There are only so many blocks, one for each names, and one that is not there is not lifted") {
  EngineWorld world({.max_blocks = 1});
  REQUIRE(Set(world, {.names = {"ada", "", ""}, .reason = "a"}).ok());
  REQUIRE(Set(world, {.names = {"ada", "", ""}, .reason = "b"}).ok());
  CHECK(world.engine->blocks().all().begin()->second.reason == "b");
  CHECK(Reason(Set(world, {.names = {"bob", "", ""}})) == "BLOCK_LIMIT");
  CHECK(Reason(world.engine->LiftBlock({"bob", "", ""}, world.effects)) == "NO_SUCH_BLOCK");
  world.EndGroup();
  CHECK(world.records.blocks.size() == 1);
}

}  // namespace
}  // namespace kantoku::inputs::testing
