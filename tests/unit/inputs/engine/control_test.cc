#include <vector>

#include "tests/unit/inputs/engine/engine_world.h"

// Interrupting, pausing, resuming and stepping of one task. Cancelling is in cancel_test.cc, whole
// trees in tree_test.cc.
namespace kantoku::inputs::testing {
namespace {

using absl::Milliseconds;
using absl::Seconds;

void ExpectTold(const EngineWorld& world, HandlerAction action, uint32_t number) {
  REQUIRE(world.last.controls.size() == 1);
  CHECK(world.last.controls[0].action == action);
  CHECK(world.last.controls[0].number == number);
  CHECK(world.last.controls[0].dispatch == 1);
}

// Runs, and has confirmed that it is paused; the first thing that it was told.
TaskId DoPause(EngineWorld& world, const TaskSpec& spec = Spec()) {
  const TaskId task = world.DoRun(spec);
  REQUIRE(*world.Control(task, ControlVerb::kPause) == TaskState::kPausing);
  world.EndGroup();
  world.SayPaused(task, true, 1);
  world.EndGroup();
  REQUIRE(world.StateOf(task) == TaskState::kPaused);
  return task;
}

TEST_CASE("An interrupt is told to the executor, and decided by Inputs when its time is over") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(*world.engine->Control(
            {.task = task, .verb = ControlVerb::kInterrupt, .escalation = Seconds(2)}, world.now,
            world.effects) == TaskState::kInterrupting);
  world.EndGroup();
  ExpectTold(world, HandlerAction::kInterrupt, 0);
  CHECK(world.Events(EventType::kTaskInterrupting) == 1);
  SECTION("the executor confirms") { world.Nack(task, 1, NackKind::kCancelled); }
  SECTION("the time is over") {
    world.Pass(Seconds(2) - Milliseconds(1));
    world.EndGroup();
    CHECK(world.StateOf(task) == TaskState::kInterrupting);
    world.Pass(Milliseconds(1));
    world.EndGroup();
    ExpectTold(world, HandlerAction::kRevoke, 0);
  }
  SECTION("the executor is lost") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.EndGroup();
    world.Pass(Seconds(20));
  }
  SECTION("a restart comes between") {
    world.Crash();
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
    world.EndGroup();
    ExpectTold(world, HandlerAction::kInterrupt, 0);
    world.Pass(Seconds(1));  // One went by in the restart.
  }
  const bool asked = !world.last.fences.empty();
  if (!asked) world.EndGroup();
  REQUIRE(world.last.fences.size() == 1);
  CHECK(world.last.fences[0].settlement->end == TaskState::kCancelled);
  CHECK(world.last.fences[0].settlement->failure.reason == "INTERRUPTED");
}

TEST_CASE("An interrupt presses on a cancellation, and not the other way round") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(*world.Control(task, ControlVerb::kCancel) == TaskState::kCancelling);
  CHECK(*world.Control(task, ControlVerb::kInterrupt) == TaskState::kInterrupting);
  CHECK(*world.Control(task, ControlVerb::kCancel) == TaskState::kInterrupting);
  world.EndGroup();
  CHECK(world.last.controls.size() == 2);
  world.Pass(Seconds(5));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kSettling);
}

TEST_CASE("Nothing that is asked later gives a handler more time, and less can be asked") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  const auto interrupt = [&](absl::Duration escalation) {
    REQUIRE(world.engine
                ->Control({.task = task, .verb = ControlVerb::kInterrupt, .escalation = escalation},
                          world.now, world.effects)
                .ok());
  };
  absl::Duration left;
  SECTION("than a cancellation gave") {
    REQUIRE(world.Cancel(task).ok());
    interrupt(absl::Hours(1));
    left = Seconds(30);
  }
  SECTION("than the first interrupt gave") {
    interrupt(Seconds(40));
    interrupt(absl::Hours(1));
    left = Seconds(40);
  }
  SECTION("less") {
    interrupt(absl::Hours(1));
    interrupt(Seconds(3));
    left = Seconds(3);
  }
  SECTION("none") {
    interrupt(absl::Hours(1));
    interrupt(absl::ZeroDuration());
    left = absl::ZeroDuration();
  }
  world.EndGroup();
  world.Pass(left - Milliseconds(1));
  world.EndGroup();
  if (left > absl::ZeroDuration()) CHECK(world.StateOf(task) == TaskState::kInterrupting);
  world.Pass(Milliseconds(1));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kSettling);
}

TEST_CASE("A task that waits is paused at once and runs when it is resumed") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPaused);
  const bool crash = GENERATE(false, true);
  world.EndGroup();
  CHECK(world.Events(EventType::kTaskPaused) == 1);
  if (crash) world.Crash();
  world.Open(1, 10);
  CHECK(world.EndGroup().dispatches.empty());
  CHECK(world.View(task).cause == WaitCause::kPaused);
  CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kReady);
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK(world.Events(EventType::kTaskResumed) == 1);
}

TEST_CASE("A pause lets the times go on that a task waits for") {
  EngineWorld world;
  world.Open(1, 10);
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Seconds(10);
  const TaskId task = world.DoSpawn(spec);
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPaused);
  SECTION("the time comes during the pause") {
    world.Pass(Seconds(10));
    CHECK(world.EndGroup().dispatches.empty());
    CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kReady);
  }
  SECTION("the pause ends first") {
    CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kScheduled);
    CHECK(world.EndGroup().dispatches.empty());
    world.Pass(Seconds(10));
  }
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("A backoff is as long with a pause in it, and with a restart too") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.retry = {.initial_backoff_ms = 10'000, .jitter = 0};
  const TaskId task = world.DoRun(spec);
  world.Nack(task, 1, NackKind::kFailed);
  world.AnswerFence(task, 1);
  world.EndGroup();
  world.Pass(Seconds(4));
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPaused);
  world.EndGroup();
  if (GENERATE(false, true)) {
    world.Crash();  // A second goes by.
    world.EndGroup();
    world.AnswerFence(task, 1);
    world.Open(1, 10);
  } else {
    world.Pass(Seconds(1));
  }
  CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kScheduled);
  world.Pass(Seconds(5) - Milliseconds(1));
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Milliseconds(1));
  CHECK(world.EndGroup().dispatches.size() == 1);
}

TEST_CASE("Paused and resumed at will, a task is dispatched once") {
  EngineWorld world;
  std::vector<TaskId> tasks(100);
  for (TaskId& task : tasks) task = world.DoSpawn();
  for (int round = 0; round < 5; ++round) {
    for (const TaskId& task : tasks) REQUIRE(world.Control(task, ControlVerb::kPause).ok());
    for (const TaskId& task : tasks) REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  }
  REQUIRE(world.Control(tasks[7], ControlVerb::kPause).ok());
  world.Open(1, 1'000);
  CHECK(world.EndGroup().dispatches.size() == 99);
  CHECK(world.StateOf(tasks[7]) == TaskState::kPaused);
}

TEST_CASE("A place in the queue from before a pause does not outrun a fence") {
  EngineWorld world;
  const TaskId task = world.DoSpawn();
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());  // Its place is void, and still there.
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.Open(1, 10);
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  world.Nack(task, 1, NackKind::kReturned);
  world.DoSpawn();  // Brings the lane up.
  CHECK(world.StateOf(task) == TaskState::kReady);
  CHECK(world.View(task).dispatch == 1);
  world.AnswerFence(task, 1);
  world.EndGroup();
  CHECK(world.View(task).dispatch == 2);
}

TEST_CASE("A handler is paused when its executor says so, and goes on when it says so") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPausing);
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPausing);
  world.EndGroup();
  ExpectTold(world, HandlerAction::kPause, 1);
  CHECK(world.Events(EventType::kTaskPausing) == 1);
  world.SayPaused(task, true, 1);
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kPaused);
  CHECK(world.Events(EventType::kTaskPaused) == 1);
  CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kResuming);
  world.EndGroup();
  ExpectTold(world, HandlerAction::kResume, 2);
  world.SayPaused(task, false, 2);
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kRunning);
  CHECK(world.Events(EventType::kTaskResumed) == 1);
}

TEST_CASE("What an executor says to an earlier request counts no more") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.SayPaused(task, true, 1);
  CHECK(world.StateOf(task) == TaskState::kPausing);
  world.SayPaused(task, false, 2);
  CHECK(world.StateOf(task) == TaskState::kPausing);
  world.SayPaused(task, true, 3);
  CHECK(world.StateOf(task) == TaskState::kPaused);
}

TEST_CASE("Nobody asked: a handler that is paused is told to go on, and its time goes on") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = 10'000;
  const TaskId task = world.DoRun(spec);
  world.SayPaused(task, true, 0);
  CHECK(world.StateOf(task) == TaskState::kResuming);
  world.EndGroup();
  ExpectTold(world, HandlerAction::kResume, 1);
  world.Pass(Seconds(10));
  world.EndGroup();
  CHECK(world.View(task).failed_attempts == 1);
}

TEST_CASE("A resumption that a crash kept from the executor reaches it") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.EndGroup();  // It has heard of the pause, and not come to its point.
  world.engine->CloseConnection(world.connection, world.now, world.effects);
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.EndGroup();
  world.Crash();
  SECTION("because it says that it is to pause") {
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true, .paused = true}});
  }
  SECTION("because it says later that it has paused") {
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
    world.SayPaused(task, true, 0);
  }
  CHECK(world.StateOf(task) == TaskState::kResuming);
  world.EndGroup();
  ExpectTold(world, HandlerAction::kResume, 1);
}

TEST_CASE("The time of an attempt stands still while its handler is paused") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = 10'000;
  const TaskId task = world.DoRun(spec);
  world.Pass(Seconds(4));
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.SayPaused(task, true, 1);
  world.EndGroup();
  world.Pass(absl::Hours(1));
  world.EndGroup();
  REQUIRE(world.StateOf(task) == TaskState::kPaused);
  SECTION("and goes on when it is resumed") {
    REQUIRE(world.Control(task, ControlVerb::kResume).ok());
    world.SayPaused(task, false, 2);
  }
  SECTION("and goes on even if the executor never says that it has resumed") {
    REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  }
  SECTION("and goes on while it steps") { REQUIRE(world.Control(task, ControlVerb::kStep).ok()); }
  SECTION("and goes on when the executor comes back and is not paused") {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
    world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true}});
  }
  world.Pass(Seconds(6) - Milliseconds(1));
  world.EndGroup();
  CHECK(world.View(task).failed_attempts == 0);
  world.Pass(Milliseconds(1));
  world.EndGroup();
  CHECK(world.View(task).failed_attempts == 1);
}

TEST_CASE("A pause that has not reached its point stops no clock") {
  EngineWorld world;
  TaskSpec spec = Spec();
  spec.timeout_ms = 10'000;
  const TaskId task = world.DoRun(spec);
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  world.Pass(Seconds(10));
  world.EndGroup();
  CHECK(world.View(task).failed_attempts == 1);
  CHECK(world.StateOf(task) == TaskState::kPaused);  // Nobody holds it, and it stays paused.
  world.AnswerFence(task, 1);
  world.Pass(absl::Hours(1));
  CHECK(world.EndGroup().dispatches.empty());
}

TEST_CASE("An executor that has not begun hands a paused task back") {
  EngineWorld world;
  world.Open(1, 10);
  const TaskId task = world.DoSpawn();
  CHECK(*world.Control(task, ControlVerb::kPause) == TaskState::kPausing);
  world.Nack(task, 1, NackKind::kReturned);
  CHECK(world.StateOf(task) == TaskState::kPaused);
  world.AnswerFence(task, 1);
  CHECK(world.EndGroup().dispatches.empty());
  REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  CHECK(world.EndGroup().dispatches.size() == 1);
  CHECK(world.View(task).failed_attempts == 0);
}

TEST_CASE("Pausing what has not begun costs neither dispatches nor pauses between them") {
  EngineWorld world(EngineOptions{.max_dispatches = 3});
  world.Open(1, 10);
  const TaskId task = world.DoSpawn();
  for (uint32_t dispatch = 1; dispatch <= 10; ++dispatch) {
    REQUIRE(world.View(task).dispatch == dispatch);
    REQUIRE(world.Control(task, ControlVerb::kPause).ok());
    world.Nack(task, dispatch, NackKind::kReturned);
    world.AnswerFence(task, dispatch);
    REQUIRE(*world.Control(task, ControlVerb::kResume) == TaskState::kReady);
    world.EndGroup();
  }
}

TEST_CASE("A step runs to the next pause point") {
  EngineWorld world;
  SECTION("of a handler that is paused") {
    const TaskId task = DoPause(world);
    CHECK(*world.Control(task, ControlVerb::kStep) == TaskState::kPausing);
    CHECK(*world.Control(task, ControlVerb::kStep) == TaskState::kPausing);
    world.EndGroup();
    ExpectTold(world, HandlerAction::kStep, 2);
    world.SayPaused(task, true, 2);
    CHECK(world.StateOf(task) == TaskState::kPaused);
  }
  SECTION("of a task that has not begun: it begins") {
    const TaskId task = world.DoSpawn();
    REQUIRE(world.Control(task, ControlVerb::kPause).ok());
    CHECK(*world.Control(task, ControlVerb::kStep) == TaskState::kReady);
    world.EndGroup();
    if (GENERATE(false, true)) world.Crash();
    world.Open(1, 10);
    REQUIRE(world.EndGroup().dispatches.size() == 1);
    CHECK(world.last.dispatches[0].pause);
    if (GENERATE(false, true)) {
      REQUIRE(world.engine->Started(world.connection, task, 1, world.now, world.effects).ok());
      CHECK(world.StateOf(task) == TaskState::kPausing);
    }
    world.SayPaused(task, true, 0);
    CHECK(world.StateOf(task) == TaskState::kPaused);
    // A second dispatch is no step any more, after a restart neither.
    world.EndGroup();
    if (GENERATE(false, true)) {
      world.Crash();
      world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true, .paused = true}});
    }
    world.Nack(task, 1, NackKind::kReturned);
    world.AnswerFence(task, 1);
    CHECK(world.EndGroup().dispatches.empty());
  }
}

TEST_CASE("A step of a task that waits for its time begins when that has come") {
  EngineWorld world;
  world.Open(1, 10);
  TaskSpec spec = Spec();
  spec.not_before = world.now.wall + Seconds(10);
  const TaskId task = world.DoSpawn(spec);
  REQUIRE(world.Control(task, ControlVerb::kPause).ok());
  CHECK(*world.Control(task, ControlVerb::kStep) == TaskState::kScheduled);
  CHECK(world.EndGroup().dispatches.empty());
  world.Pass(Seconds(10));
  REQUIRE(world.EndGroup().dispatches.size() == 1);
  CHECK(world.last.dispatches[0].pause);
}

TEST_CASE("Only what is paused can step, and what is being stopped does nothing else") {
  EngineWorld world;
  const TaskId task = world.DoRun();
  CHECK(Reason(world.Control(task, ControlVerb::kStep)) == "NOT_PAUSED");
  CHECK(*world.Control(task, ControlVerb::kResume) == TaskState::kRunning);
  REQUIRE(world.Control(task, ControlVerb::kCancel).ok());
  for (const auto verb : {ControlVerb::kPause, ControlVerb::kResume, ControlVerb::kStep}) {
    CHECK(Reason(world.Control(task, verb)) == "TASK_STOPPING");
  }
  world.Nack(task, 1, NackKind::kCancelled);
  CHECK(Reason(world.Control(task, ControlVerb::kPause)) == "TASK_STOPPING");
}

TEST_CASE("A paused handler can be stopped") {
  EngineWorld world;
  const TaskId task = DoPause(world);
  CHECK(*world.Control(task, ControlVerb::kCancel) == TaskState::kCancelling);
  world.EndGroup();
  world.Pass(Seconds(30));
  world.EndGroup();
  CHECK(world.StateOf(task) == TaskState::kSettling);
}

TEST_CASE("An executor that comes back hears again what its handler is to do") {
  EngineWorld world;
  const TaskId task = DoPause(world);
  const bool resume = GENERATE(false, true);
  if (resume) REQUIRE(world.Control(task, ControlVerb::kResume).ok());
  world.EndGroup();
  const bool crash = GENERATE(false, true);
  if (crash) {
    world.Crash();
  } else {
    world.engine->CloseConnection(world.connection, world.now, world.effects);
  }
  world.Open(1, 10, {{.task = task, .dispatch = 1, .started = true, .paused = true}});
  world.EndGroup();
  ExpectTold(world, resume ? HandlerAction::kResume : HandlerAction::kPause,
             world.last.controls.front().number);
  world.SayPaused(task, !resume, world.last.controls.front().number);
  CHECK(world.StateOf(task) == (resume ? TaskState::kRunning : TaskState::kPaused));
}

}  // namespace
}  // namespace kantoku::inputs::testing
