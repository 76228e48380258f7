// Control and trees: what is recorded of them, and when it is told.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

v1::SpawnRequest ChildrenOf(const TaskId& root, int count, const std::string& request_id) {
  v1::SpawnRequest request;
  request.set_request_id(request_id);
  for (int i = 0; i < count; ++i) {
    auto& spec = *request.add_specs();
    spec.set_type("x");
    spec.set_parent_id(std::string(root.bytes()));
    spec.set_root_id(std::string(root.bytes()));
  }
  return request;
}

void SayState(TestExecutor& executor, const v1::Dispatch& task, v1::HandlerState state,
              uint32_t number) {
  v1::PullRequest request;
  auto& status = *request.add_handler_states();
  status.set_task_id(task.task_id());
  status.set_dispatch(task.dispatch());
  status.set_state(state);
  status.set_number(number);
  executor.Say(request);
}

TEST_CASE("A handler is told to pause when that is durable, and is paused when it says so") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const auto task = executor.Task(1);
  CHECK(task.root_id().empty());
  executor.Start(task);
  fixture.Settle();
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();
  fixture.partition().Control(
      {.tasks = {id}, .what = {.verb = ControlVerb::kPause}, .viewer = As("alice")},
      [](const auto&) {});
  fixture.faults.AwaitCommits(commits + 1);
  CHECK(executor.channel->heard().all.controls_size() == 0);
  fixture.faults.OpenGate();
  const auto control = executor.Control(1);
  CHECK(control.action() == v1::HANDLER_ACTION_PAUSE);
  SayState(executor, task, v1::HANDLER_STATE_PAUSED, control.number());
  CHECK(fixture.Reaches(id, TaskState::kPaused));
  CHECK(fixture.events->AwaitType("task.paused"));
  CHECK(*fixture.Control(id, {.verb = ControlVerb::kResume}) == TaskState::kResuming);
  CHECK(executor.Control(2).action() == v1::HANDLER_ACTION_RESUME);
}

TEST_CASE("What is paused, interrupted or stepping stays so in a crash") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId held = fixture.SpawnOne();
  const auto task = executor.Task(1);
  executor.Start(task);
  const TaskId waiting = fixture.SpawnOne("p", "other");
  REQUIRE(fixture.Control(waiting, {.verb = ControlVerb::kPause}).ok());
  REQUIRE(fixture.Control(held, {.verb = ControlVerb::kInterrupt}).ok());
  fixture.Crash();
  CHECK(fixture.Get(held)->state == TaskState::kInterrupting);
  CHECK(fixture.Get(waiting)->state == TaskState::kPaused);
  CHECK(*fixture.Control(waiting, {.verb = ControlVerb::kStep}) == TaskState::kReady);
  fixture.Crash();
  CHECK(fixture.Get(waiting)->state == TaskState::kReady);
  TestExecutor stepper(fixture, 2, 10, {"other"});
  stepper.Connect();
  CHECK(stepper.Task(1).pause());
}

TEST_CASE("A tree is known after a crash, with what it was asked for") {
  PartitionFixture fixture;
  const TaskId root = fixture.SpawnOne();
  const auto children = fixture.Spawn(ChildrenOf(root, 3, "c"));
  REQUIRE(children.ok());
  const TaskId child = children->items[0].id;
  CHECK(
      fixture.List({.name_space = "default", .viewer = As("alice"), .root = root})->tasks.size() ==
      4);
  const bool paused = GENERATE(false, true);
  if (paused) REQUIRE(fixture.Control(root, {.verb = ControlVerb::kPause, .tree = true}).ok());
  fixture.Crash();
  CHECK(fixture.Get(child)->root == root);
  CHECK(fixture.Get(child)->parent == root);
  const auto later = fixture.Spawn(ChildrenOf(root, 1, "later"));
  CHECK(fixture.Reaches(later->items[0].id, paused ? TaskState::kPaused : TaskState::kReady));
  CHECK(fixture.Reaches(child, paused ? TaskState::kPaused : TaskState::kReady));
}

TEST_CASE("An ended task tells its tree, and the tree whether it goes on") {
  PartitionFixture fixture;
  const TaskId root = fixture.SpawnOne();
  const auto children = fixture.Spawn(ChildrenOf(root, 2, "c"));
  const TaskId child = children->items[0].id;
  CHECK(fixture.Cancel(root).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(root, TaskState::kCancelled));
  // The root has ended, what is below it has not.
  CHECK(ReasonOf(fixture.Cancel(root).status()) == "TASK_ENDED");
  CHECK(*fixture.Control(root, {.tree = true}) == TaskState::kSettling);
  CHECK(fixture.Reaches(child, TaskState::kSettling));
  fixture.Answer(fixture.outputs->Asked(2), TaskState::kCancelled);
  fixture.Answer(fixture.outputs->Asked(3), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(child, TaskState::kCancelled));
  CHECK(fixture.Get(child)->root == root);
  CHECK(fixture.Get(child)->parent == root);
  CHECK(ReasonOf(fixture.Control(root, {.tree = true}).status()) == "TASK_ENDED");
}

// One task that has ended so.
TaskId EndedAs(PartitionFixture& fixture, TaskState end) {
  const TaskId id = fixture.SpawnOne();
  if (end == TaskState::kCancelled) {
    REQUIRE(fixture.Cancel(id).ok());
    fixture.Answer(fixture.outputs->Asked(1), end);
  } else {
    TestExecutor executor(fixture, 1);
    executor.Connect();
    const v1::Dispatch task = executor.Task(1);
    if (end == TaskState::kSucceeded) {
      executor.Ack(task);
    } else {
      executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
      fixture.Answer(fixture.outputs->Asked(1), end);
    }
  }
  REQUIRE(fixture.Reaches(id, end));
  return id;
}

// Each verb, at the task and at its tree.
std::vector<ControlCommand> AllControls() {
  std::vector<ControlCommand> all;
  for (const ControlVerb verb : {ControlVerb::kCancel, ControlVerb::kInterrupt, ControlVerb::kPause,
                                 ControlVerb::kResume, ControlVerb::kStep}) {
    for (const bool tree : {false, true}) all.push_back({.verb = verb, .tree = tree});
  }
  return all;
}

void CheckEveryControl(PartitionFixture& fixture, const TaskId& id, absl::StatusCode code,
                       const std::string& reason, const std::string& message) {
  for (const ControlCommand& control : AllControls()) {
    CAPTURE(static_cast<int>(control.verb), control.tree);
    const absl::Status status = fixture.Control(id, control).status();
    CHECK(status.code() == code);
    CHECK(ReasonOf(status) == reason);
    CHECK(std::string(status.message()) == message);
  }
}

TEST_CASE(
    "Control of a finished task is FAILED_PRECONDITION with its state while its history lasts") {
  PartitionFixture fixture;
  const auto [end, word, kept] = GENERATE(table<TaskState, std::string, absl::Duration>(
      {{TaskState::kSucceeded, "succeeded", absl::Hours(1)},
       {TaskState::kFailed, "failed", absl::Hours(24 * 7)},
       {TaskState::kCancelled, "cancelled", absl::Hours(24 * 7)}}));
  CAPTURE(word);
  const TaskId id = EndedAs(fixture, end);
  const auto check_ended = [&, end = end, word = word] {
    CheckEveryControl(fixture, id, absl::StatusCode::kFailedPrecondition, "TASK_ENDED",
                      "task " + id.ToString() + " has ended: " + word);
    CHECK(fixture.Get(id)->state == end);
  };
  check_ended();
  fixture.Crash();
  check_ended();
  fixture.clock.Advance(kept - absl::Seconds(1));
  fixture.Settle();
  fixture.Settle();
  check_ended();
  fixture.clock.Advance(absl::Seconds(2));
  fixture.Settle();
  fixture.Settle();
  CheckEveryControl(fixture, id, absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                    "no task " + id.ToString());
}

TEST_CASE("Control is pushed to the executor at once, and never waits for a heartbeat") {
  // Neither side pings: the clock stands still, and the executor says nothing after its start.
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  REQUIRE(fixture.Reaches(id, TaskState::kRunning));
  const absl::Duration began = fixture.clock.Read().steady;
  const auto [verb, action] = GENERATE(table<ControlVerb, v1::HandlerAction>(
      {{ControlVerb::kCancel, v1::HANDLER_ACTION_CANCEL},
       {ControlVerb::kInterrupt, v1::HANDLER_ACTION_INTERRUPT},
       {ControlVerb::kPause, v1::HANDLER_ACTION_PAUSE}}));
  REQUIRE(fixture.Control(id, {.verb = verb, .tree = GENERATE(false, true)}).ok());
  const v1::HandlerControl control = executor.Control(1);
  CHECK(control.action() == action);
  CHECK(control.task_id() == task.task_id());
  CHECK(fixture.clock.Read().steady == began);
  CHECK_FALSE(executor.channel->heard().all.has_ping());
}

TEST_CASE("Trees of others are not there") {
  PartitionFixture fixture;
  const TaskId root = fixture.SpawnOne();
  REQUIRE(fixture.Spawn(ChildrenOf(root, 1, "c")).ok());
  CHECK(ReasonOf(fixture.Control(root, {.tree = true}, "bob").status()) == "NO_SUCH_TASK");
  CHECK(fixture.Get(root)->state == TaskState::kReady);
}

TEST_CASE("The same request with another parent is another request") {
  PartitionFixture fixture;
  const TaskId one = fixture.SpawnOne();
  const TaskId two = fixture.SpawnOne();
  REQUIRE(fixture.Spawn(ChildrenOf(one, 1, "c")).ok());
  CHECK(ReasonOf(fixture.Spawn(ChildrenOf(two, 1, "c")).status()) == "REQUEST_ID_REUSED");
  auto first = ChildrenOf(one, 2, "d");
  auto second = first;
  first.mutable_specs(0)->clear_parent_id();
  first.mutable_specs(0)->clear_root_id();
  second.mutable_specs(1)->clear_parent_id();
  second.mutable_specs(1)->clear_root_id();
  REQUIRE(fixture.Spawn(first).ok());
  CHECK(ReasonOf(fixture.Spawn(second).status()) == "REQUEST_ID_REUSED");
}

}  // namespace
}  // namespace kantoku::inputs::testing
