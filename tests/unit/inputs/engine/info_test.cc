// Info, contexts and filters over them.
#include <set>

#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

TaskSpec Described(std::string context, std::vector<Label> entries = {}) {
  TaskSpec spec = Spec();
  spec.info = std::make_shared<const Info>(Info{std::move(context), *MakeInfo(std::move(entries))});
  return spec;
}

std::vector<TaskId> Listed(const EngineWorld& world, const TaskFilter& filter, size_t limit = 100) {
  std::vector<TaskId> ids;
  std::optional<TaskKey> from;
  do {
    for (const TaskView& view : world.engine->List(filter, limit, 3, from)) ids.push_back(view.id);
  } while (from.has_value());
  return ids;
}

TaskFilter Where(const std::string& selector) {
  return {.name_space = "default", .viewer = As(), .selector = *Selector::Parse(selector)};
}

TEST_CASE("Info is patched by its revision, and stays so after a restart") {
  EngineWorld world;
  const TaskId task = world.DoSpawn(Described("run 7", {{"customer", "acme"}, {"try", "1"}}));
  CHECK(world.View(task).info->revision == 0);
  const InfoAnswer first = world.engine->PatchInfo(
      {.task = task, .set = {{"try", "2"}}, .remove = {"customer"}, .expected = 0}, world.effects);
  CHECK(first.status.ok());
  CHECK(first.revision == 1);
  const InfoAnswer late =
      world.engine->PatchInfo({.task = task, .set = {{"x", "y"}}, .expected = 0}, world.effects);
  CHECK(Reason(late.status) == "REVISION_DIFFERS");
  CHECK(late.status.code() == absl::StatusCode::kAborted);
  CHECK(late.revision == 1);
  // Nothing new is no new revision.
  CHECK(world.engine->PatchInfo({.task = task, .set = {{"try", "2"}}}, world.effects).revision ==
        1);
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const auto info = world.View(task).info;
  CHECK(info->context == "run 7");
  CHECK(info->labels == *MakeInfo({{"try", "2"}}));
  CHECK(info->revision == 1);
}

TEST_CASE("A task without info gets some, and all of it goes with its end") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(world.View(task).info == nullptr);
  CHECK(world.engine->PatchInfo({.task = task, .set = {{"a", "b"}}}, world.effects).revision == 1);
  world.EndGroup();
  CHECK(world.records.infos.size() == 1);
  if (GENERATE(false, true)) {
    world.Crash();
    CHECK(*world.View(task).info->labels.Find("a") == "b");
  }
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  CHECK(world.records.infos.empty());
  CHECK(*world.Ended(task)->info->labels.Find("a") == "b");
  CHECK(Reason(world.engine->PatchInfo({.task = task}, world.effects).status) == "NO_SUCH_TASK");
}

TEST_CASE("A patch beyond a limit changes nothing") {
  EngineWorld world;
  const TaskId task = world.DoSpawn(Described("", {{"a", "b"}}));
  const auto refused = [&](InfoPatch patch) {
    patch.task = task;
    const InfoAnswer answer = world.engine->PatchInfo(patch, world.effects);
    CHECK(answer.status.code() == absl::StatusCode::kInvalidArgument);
    return Reason(answer.status);
  };
  CHECK(refused({.set = {{"no name", "x"}}}) == kBadLabel);
  CHECK(refused({.set = {{"task.type", "x"}}}) == kBadLabel);
  CHECK(refused({.set = {{"x", "1"}, {"x", "2"}}}) == kBadLabel);
  CHECK(refused({.set = {{"x", std::string(257, 'x')}}}) == kLabelLimit);
  InfoPatch many;
  for (int i = 0; i < 60; ++i) many.set.push_back({"n" + std::to_string(i), "x"});
  CHECK(refused(many) == kLabelLimit);
  InfoPatch large;
  for (int i = 0; i < 17; ++i)
    large.set.push_back({"n" + std::to_string(i), std::string(240, 'x')});
  CHECK(refused(large) == kLabelLimit);
  CHECK(world.View(task).info->labels == *MakeInfo({{"a", "b"}}));
  CHECK(world.View(task).info->revision == 0);
}

TEST_CASE("Info of living tasks is bounded together") {
  EngineOptions options;
  options.max_info_bytes = 600;
  EngineWorld world(options);
  const TaskId first = world.DoSpawn(Described("a context"));
  const std::vector<TaskSpec> four(4, Described("a context"));
  const auto refused = world.Spawn(four);
  CHECK(Reason(refused) == "INFO_LIMIT");
  CHECK(refused.status().message().find("more bytes exceed the server's limit of 600") !=
        std::string::npos);
  CHECK(world.engine->pending() == 1);
  const InfoAnswer answer = world.engine->PatchInfo(
      {.task = first, .set = {{"a", std::string(200, 'x')}, {"b", std::string(200, 'x')}}},
      world.effects);
  CHECK(Reason(answer.status) == "INFO_LIMIT");
  REQUIRE(world.Cancel(first).ok());
  world.EndGroup();
  world.AnswerFence(first, 0, TaskState::kCancelled);
  world.EndGroup();
  CHECK(world.Spawn(four).ok());
}

TEST_CASE("A context lists its tasks in the order of their spawn, without looking at others") {
  EngineWorld world;
  std::vector<TaskId> own;
  for (int i = 0; i < 20; ++i) {
    const TaskId task = world.DoSpawn(i % 5 == 0 ? Described("mine") : Spec());
    if (i % 5 == 0) own.push_back(task);
  }
  if (GENERATE(false, true)) world.Crash();
  const TaskFilter filter{.name_space = "default", .viewer = As(), .context = "mine"};
  CHECK(Listed(world, filter) == own);
  CHECK(Listed(world, filter, 1) == own);
  std::optional<TaskKey> from;
  CHECK(world.engine->List(filter, 100, 5, from).size() == 4);
  CHECK(!from.has_value());
  CHECK(Listed(world, {.name_space = "default", .viewer = As(), .context = "other"}).empty());
  CHECK(Listed(world, {.name_space = "lab", .viewer = As(), .context = "mine"}).empty());
}

TEST_CASE("A filter finds what users and the server say of tasks") {
  EngineWorld world;
  const TaskId acme = world.DoSpawn(Described("c1", {{"customer", "acme"}, {"size", "12"}}));
  const TaskId plain = world.DoSpawn(Spec("other", 7));
  TaskSpec child = Spec();
  child.parent = plain;
  const TaskId third = world.DoSpawn(child);
  const std::vector<TaskId> all = {acme, plain, third};
  const std::vector<TaskId> first = {acme};
  const std::vector<TaskId> second = {plain};
  CHECK(Listed(world, Where("customer == 'acme' && size > 9")) == first);
  CHECK(Listed(world, Where("customer == 'acme' && size > 12")).empty());
  CHECK(Listed(world, Where("task.type == 'other'")) == second);
  CHECK(Listed(world, Where("task.priority >= 7")) == second);
  CHECK(Listed(world, Where("task.context == 'c1'")) == first);
  CHECK(Listed(world, Where("task.state == 'ready' && task.attempts < 1")) == all);
  CHECK(Listed(world, Where("has(task.ended) || has(task.reason) || has(task.nonsense)")).empty());
  CHECK(Listed(world, Where("task.created > 1699999999 && task.created < 1700000001")) == all);
  CHECK(Listed(world, Where("task.parent == '" + plain.ToString() + "'")) == std::vector{third});
  CHECK(Listed(world, Where("task.root == '" + plain.ToString() + "'")) ==
        std::vector{plain, third});
}

TEST_CASE("A dispatch tells the context") {
  EngineWorld world;
  world.Open(1, 10);
  world.DoSpawn(Described("mine"));
  REQUIRE(world.last.dispatches.size() == 1);
  CHECK(world.last.dispatches[0].info->context == "mine");
  world.DoSpawn();
  CHECK(world.last.dispatches[0].info == nullptr);
}

}  // namespace
}  // namespace kantoku::inputs::testing
