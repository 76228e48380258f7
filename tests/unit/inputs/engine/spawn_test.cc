#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

using absl::Hours;
using absl::Minutes;
using absl::Seconds;

TEST_CASE("A task of a type that nobody implements waits and says so") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  CHECK(world.StateOf(task) == TaskState::kReady);
  CHECK(world.View(task).cause == WaitCause::kNoImplementation);
  CHECK(world.Events(EventType::kTaskCreated) == 1);
  world.Open(1, 0);
  world.EndGroup();
  CHECK(world.View(task).cause == WaitCause::kNoCredit);
}

TEST_CASE("A repeated request gets the same ids and creates nothing") {
  EngineWorld world;
  const auto first = world.Spawn({Spec(), Referenced("a"), Referenced("a"), Spec()}, 7);
  world.EndGroup();
  const bool after_crash = GENERATE(false, true);
  if (after_crash) world.Crash();
  const auto again = world.Spawn({Spec(), Referenced("a"), Referenced("a"), Spec()}, 7);
  REQUIRE(again.ok());
  CHECK(again->repeated);
  CHECK(world.engine->pending() == 3);
  for (size_t i = 0; i < 4; ++i) {
    CHECK(again->items[i].id == first->items[i].id);
    CHECK(again->items[i].created == first->items[i].created);
  }
}

TEST_CASE("A request id that comes with another batch is refused") {
  EngineWorld world;
  REQUIRE(world.Spawn({Spec()}, 7, 1).ok());
  const auto other = world.Spawn({Spec()}, 7, 2);
  CHECK(other.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(Reason(other) == "REQUEST_ID_REUSED");
  CHECK(world.engine->pending() == 1);
}

TEST_CASE("A request is remembered for ten minutes, and its record goes with it") {
  EngineWorld world;
  const auto first = world.Spawn({Spec()}, 7);
  world.EndGroup();
  world.Pass(Minutes(10));
  world.EndGroup();
  CHECK(world.Spawn({Spec()}, 7)->repeated);
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK(world.records.requests.empty());
  const auto again = world.Spawn({Spec()}, 7);
  CHECK_FALSE(again->repeated);
  CHECK(again->items[0].id != first->items[0].id);
}

TEST_CASE("A wall clock that is set ahead or back makes nobody forget early") {
  EngineWorld world({.history = Hours(1), .dead_retention = Hours(24)});
  const absl::Duration step = GENERATE(Hours(48), -Hours(48));
  const TaskId done = world.DoSpawn();
  const TaskId gone = world.DoSpawn();
  REQUIRE(world.Spawn({Spec()}, 7).ok());
  world.engine->Finished(done, 0, world.now, world.effects);
  (void)world.Cancel(gone);
  world.AnswerFence(gone, 0, TaskState::kCancelled);
  world.EndGroup();
  world.now.wall += step;
  world.EndGroup();
  CHECK(world.Spawn({Spec()}, 7)->repeated);
  world.Pass(Minutes(10));
  world.EndGroup();
  CHECK(world.Spawn({Spec()}, 7)->repeated);
  CHECK(world.engine->FindHistory(done.key()).has_value());
  world.Pass(Seconds(1));
  world.EndGroup();
  CHECK_FALSE(world.Spawn({Spec()}, 7)->repeated);
  world.Pass(Minutes(51));
  CHECK(world.engine->NextWake(world.now) <= world.now.steady + absl::Milliseconds(1));
  world.EndGroup();
  CHECK_FALSE(world.engine->FindHistory(done.key()).has_value());
  CHECK(world.engine->FindDead(gone.key()).has_value());
  world.Pass(Hours(23));
  world.EndGroup();
  CHECK_FALSE(world.engine->FindDead(gone.key()).has_value());
}

TEST_CASE("The oldest requests are forgotten when there are too many") {
  EngineWorld world({.max_requests = 2});
  for (const uint64_t request : {1, 2, 3}) REQUIRE(world.Spawn({Spec()}, request).ok());
  world.EndGroup();
  CHECK(world.records.requests.size() == 2);
  CHECK(world.Spawn({Spec()}, 3)->repeated);
  CHECK(world.Spawn({Spec()}, 2)->repeated);
  CHECK_FALSE(world.Spawn({Spec()}, 1)->repeated);
}

TEST_CASE("Types beyond the limit are refused, known ones go on, and the limit is of what lives") {
  EngineWorld world({.max_types = 2});
  const TaskId first = world.DoSpawn(Spec("a"));
  const auto refused = world.Spawn({Spec("b"), Spec("b"), Spec("a"), Spec("c")});
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(refused) == "TYPE_LIMIT");
  CHECK(refused.status().message() == "specs.type: 2 more types exceed the server's limit of 2");
  CHECK(world.engine->pending() == 1);
  const std::vector<TaskSpec> known = {Spec("b"), Spec("b"), Spec("a"), Spec("a")};
  REQUIRE(world.Spawn(known).ok());
  REQUIRE(world.Spawn(known).ok());
  CHECK(Reason(world.Spawn({Spec("c")})) == "TYPE_LIMIT");
  world.engine->Finished(first, 0, world.now, world.effects);
  CHECK(Reason(world.Spawn({Spec("c")})) == "TYPE_LIMIT");
  std::optional<TaskKey> from;
  for (const auto& view : world.engine->List({"default", "a", {}, As()}, 10, 100, from)) {
    world.engine->Finished(view.id, 0, world.now, world.effects);
  }
  world.EndGroup();
  CHECK(world.Spawn({Spec("c")}).ok());
}

TEST_CASE("A batch that exceeds the pending limit is refused whole") {
  EngineWorld world({.max_pending = 3});
  REQUIRE(world.Spawn({Spec(), Spec()}).ok());
  const auto refused = world.Spawn({Spec(), Spec()});
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(refused) == "PENDING_LIMIT");
  CHECK(refused.status().message() == "specs: 2 more pending tasks exceed the server's limit of 3");
  CHECK(world.engine->pending() == 2);
  CHECK(world.Spawn({Spec()}).ok());
}

TEST_CASE("An id is never given twice, whatever a crash forgets") {
  EngineWorld world;
  const TaskId durable = world.DoSpawn();
  const auto lost = world.Spawn({Spec(), Spec()});
  const TaskId last = lost->items[1].id;
  world.records.specs.erase(last.key());
  world.records.specs.erase(lost->items[0].id.key());
  world.Crash();
  const TaskId next = world.DoSpawn();
  CHECK(next.key() > last.key());
  CHECK(last.key() == durable.key() + 2);
}

TEST_CASE("Ids follow the order of the batch") {
  EngineWorld world;
  const auto outcome = world.Spawn({Spec("b"), Spec("a"), Spec("c")});
  CHECK(outcome->items[1].id.key() == outcome->items[0].id.key() + 1);
  CHECK(outcome->items[2].id.key() == outcome->items[1].id.key() + 1);
  CHECK(outcome->items[0].id.slot() == world.engine->SlotOf("default"));
}

TEST_CASE("A reference that is taken answers with its holder") {
  EngineWorld world;
  const auto first = world.Spawn({Referenced("nightly")});
  const bool after_crash = GENERATE(false, true);
  world.EndGroup();
  if (after_crash) world.Crash();
  const auto again = world.Spawn({Referenced("nightly")});
  CHECK_FALSE(again->items[0].created);
  CHECK(again->items[0].id == first->items[0].id);
  CHECK(again->items[0].conflict.empty());
  CHECK(world.engine->pending() == 1);
  CHECK(world.View(first->items[0].id).reference == "nightly");
}

TEST_CASE("A reference with another spec names the field, for as long as anybody reads it") {
  EngineWorld world;
  REQUIRE(world.Spawn({Referenced("nightly", 1)}).ok());
  const auto first = world.Spawn({Referenced("nightly", 2)}, 7);
  world.EndGroup();
  world.last.Clear();
  CHECK(first->items[0].conflict == "payload");
  world.Crash();
  const auto again = world.Spawn({Referenced("nightly", 2)}, 7);
  CHECK(again->repeated);
  world.Pass(Minutes(11));
  world.EndGroup();
  CHECK(again->items[0].conflict == "payload");
}

TEST_CASE("A reference outlives its task by the history, then it is free") {
  EngineWorld world;
  const TaskId task = world.DoRun(Referenced("nightly"));
  world.engine->Finished(task, 1, world.now, world.effects);
  world.EndGroup();
  world.Pass(Minutes(59));
  world.EndGroup();
  CHECK(world.Spawn({Referenced("nightly")})->items[0].id == task);
  world.Pass(Minutes(2));
  world.EndGroup();
  CHECK(world.records.references.empty());
  CHECK(world.Spawn({Referenced("nightly")})->items[0].created);
}

TEST_CASE("Repeats of references are remembered up to a bound, then named tasks are refused") {
  EngineWorld world({.max_repeats = 5});
  REQUIRE(world.Spawn({Referenced("nightly")}).ok());
  const auto repeats = [&](size_t count) {
    return world.Spawn(std::vector<TaskSpec>(count, Referenced("nightly")));
  };
  REQUIRE(repeats(4).ok());
  world.EndGroup();
  if (GENERATE(false, true)) world.Crash();
  const auto refused = repeats(2);
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(Reason(refused) == "REPEAT_LIMIT");
  CHECK(world.Spawn(std::vector<TaskSpec>(10, Spec())).ok());
  CHECK(repeats(1).ok());
  world.EndGroup();
  world.Pass(Hours(1));
  world.EndGroup();
  CHECK(repeats(5).ok());
}

TEST_CASE("A list goes on where it stopped and looks at no more than its budget") {
  EngineWorld world;
  std::vector<TaskSpec> specs;
  specs.reserve(10);
  for (int i = 0; i < 10; ++i) specs.push_back(Spec(i % 2 == 0 ? "even" : "odd"));
  const auto spawned = world.Spawn(specs);
  std::optional<TaskKey> from;
  const TaskFilter odd{"default", "odd", {}, As()};
  auto views = world.engine->List(odd, 2, 100, from);
  REQUIRE(views.size() == 2);
  CHECK(views[1].id == spawned->items[3].id);
  views = world.engine->List(odd, 10, 3, from);
  CHECK(views.size() == 1);
  CHECK(from.has_value());
  views = world.engine->List(odd, 10, 100, from);
  CHECK(views.size() == 2);
  CHECK_FALSE(from.has_value());
}

TEST_CASE("A list filters by state and keeps namespaces apart") {
  EngineWorld world({.slot_count = 1});
  TaskSpec later = Spec();
  later.not_before = world.now.wall + Hours(1);
  REQUIRE(world.Spawn({Spec(), later}).ok());
  std::optional<TaskKey> from;
  const auto scheduled =
      world.engine->List({"default", "", {TaskState::kScheduled}, As()}, 10, 100, from);
  REQUIRE(scheduled.size() == 1);
  CHECK(scheduled[0].cause == WaitCause::kDelay);
  from.reset();
  CHECK(world.engine->List({"other", "", {}, As()}, 10, 100, from).empty());
}

TEST_CASE("A list shows the tasks of one owner, and those of nobody to nobody") {
  EngineWorld world;
  REQUIRE(world.Spawn({Spec()}).ok());
  const auto count = [&](std::string_view owner) {
    std::optional<TaskKey> from;
    return world.engine->List({"default", "", {}, As(std::string(owner))}, 10, 100, from).size();
  };
  CHECK(count("local") == 1);
  CHECK(count("bob") == 0);
  CHECK(count("") == 0);
}

}  // namespace
}  // namespace kantoku::inputs::testing
